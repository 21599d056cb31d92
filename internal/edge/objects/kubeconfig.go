package objects

import (
	"encoding/json"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// WriteKubeconfig writes the file by which clients find a store that is served: the address ("http://127.0.0.1:1234") and
// the token. It is readable by its owner alone and replaces an earlier one as a whole.
func WriteKubeconfig(path, address, token, namespace string) error {
	const n = "sluice"
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": n,
		"clusters": []any{map[string]any{"name": n, "cluster": map[string]any{"server": address}}},
		"users":    []any{map[string]any{"name": n, "user": map[string]any{"token": token}}},
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
