package objects

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Access is what opens the REST interface: a token, and a certificate by which clients know the server. Clients made with
// client-go send a token over TLS only, so loopback has TLS too.
type Access struct {
	token       string
	certificate tls.Certificate
	authority   []byte // PEM
}

// String says nothing of what opens.
func (Access) String() string { return "[access]" }

// GoString says nothing either.
func (Access) GoString() string { return "[access]" }

// NewAccess makes a token and a certificate for 127.0.0.1, ::1 and localhost. The key leaves no memory.
func NewAccess(now time.Time) (Access, error) {
	var a Access
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return a, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return a, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sluice"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return a, fmt.Errorf("make a certificate: %w", err)
	}
	a.token = base64.RawURLEncoding.EncodeToString(secret)
	a.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a, nil
}

// WriteKubeconfig writes the file by which clients find a store that is served: its address ("127.0.0.1:1234") and what opens
// it. The file is readable by its owner alone and replaces an earlier one as a whole.
func WriteKubeconfig(path, address string, a Access, namespace string) error {
	const n = "sluice"
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": n,
		"clusters": []any{map[string]any{"name": n, "cluster": map[string]any{"server": "https://" + address, "certificate-authority-data": a.authority}}},
		"users":    []any{map[string]any{"name": n, "user": map[string]any{"token": a.token}}},
		"contexts": []any{map[string]any{"name": n, "context": map[string]any{"cluster": n, "user": n, "namespace": namespace}}},
	})
	if err == nil {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".kubeconfig-*") // 0600
	if err != nil {
		return fault.New(CodeState, "%v", err)
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fault.New(CodeState, "%v", err)
	}
	return nil
}
