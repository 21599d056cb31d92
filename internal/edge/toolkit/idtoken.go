package toolkit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// idTokenPath is where ID tokens are asked for.
const idTokenPath = "idtoken"

// issuer has the key that signs ID tokens. It is made when it is first needed, and it is never stored.
type issuer struct {
	once sync.Once
	key  *rsa.PrivateKey
	id   string
	err  error
}

func (i *issuer) ready() error {
	i.once.Do(func() {
		if i.key, i.err = rsa.GenerateKey(rand.Reader, 2048); i.err != nil {
			return
		}
		der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
		if err != nil {
			i.err = err
			return
		}
		sum := sha256.Sum256(der)
		i.id = base64.RawURLEncoding.EncodeToString(sum[:])
	})
	if i.err != nil {
		return fmt.Errorf("make the key of ID tokens: %w", i.err)
	}
	return nil
}

// IssuerURL is who signs ID tokens, as their iss says: Options.Issuer, or the address of the services on loopback, ""
// as long as no job is served. The keys are at /.well-known/openid-configuration below the latter.
func (s *Service) IssuerURL() string {
	if s.o.Issuer != "" {
		return s.o.Issuer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[""] == nil {
		return ""
	}
	return strings.TrimSuffix(s.base(""), "/")
}

// How long an ID token lives, and how much before now it may be used: clocks differ.
const (
	idTokenLife = 5 * time.Minute
	idTokenSlip = 10 * time.Minute
)

const maxAudience = 2048

func (s *Service) idToken(w http.ResponseWriter, r *http.Request) {
	j, release, ok := s.caller(r)
	if !ok {
		answer(w, errNoToken)
		return
	}
	defer release()
	if !j.IDToken {
		answer(w, refuse(http.StatusForbidden, "permission_denied", "the job may not have ID tokens: it needs permissions: id-token: write"))
		return
	}
	audience := r.URL.Query().Get("audience")
	if len(audience) > maxAudience {
		answer(w, invalid("the audience has more than %d bytes", maxAudience))
		return
	}
	text, err := s.sign(j, audience)
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": text, "count": len(text)})
}

// sign writes an ID token. What says who it is for, who signed it and when is ours; all else is the job's.
func (s *Service) sign(j *job, audience string) (string, error) {
	if err := s.issuer.ready(); err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.issuer.id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: s.issuer.key}, options)
	if err != nil {
		return "", fmt.Errorf("sign the ID token: %w", err)
	}
	claims := maps.Clone(j.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	if audience == "" {
		audience = strings.TrimSuffix(s.o.Server, "/")
		if owner := claim(claims, "repository_owner"); owner != "" {
			audience += "/" + owner
		}
	}
	if claim(claims, "sub") == "" {
		claims["sub"] = subject(claims)
	}
	now := time.Now()
	claims["iss"], claims["aud"], claims["jti"] = s.IssuerURL(), audience, rand.Text()
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Add(-idTokenSlip).Unix(), now.Add(idTokenLife).Unix()
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign the ID token: %w", err)
	}
	return text, nil
}

func claim(claims map[string]any, name string) string {
	text, _ := claims[name].(string)
	return text
}

// subject is whom the token is about, as GitHub composes it by default (GitHub Docs, "OpenID Connect reference", example
// subject claims).
func subject(claims map[string]any) string {
	repo := "repo:" + claim(claims, "repository")
	switch event := claim(claims, "event_name"); {
	case claim(claims, "environment") != "":
		return repo + ":environment:" + strings.ReplaceAll(claim(claims, "environment"), ":", "%3A")
	case event == "pull_request":
		return repo + ":pull_request"
	}
	return repo + ":ref:" + claim(claims, "ref")
}

// discovery says where the keys are (OpenID Connect Discovery 1.0, section 4).
func (s *Service) discovery(w http.ResponseWriter, r *http.Request) {
	supported := []string{
		"sub", "aud", "exp", "iat", "iss", "jti", "nbf", "actor", "actor_id", "base_ref", "environment", "event_name", "head_ref",
		"job_workflow_ref", "job_workflow_sha", "ref", "ref_protected", "ref_type", "repository", "repository_id", "repository_owner",
		"repository_owner_id", "repository_visibility", "run_attempt", "run_id", "run_number", "runner_environment", "sha", "workflow",
		"workflow_ref", "workflow_sha",
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": s.IssuerURL(), "jwks_uri": "http://" + r.Host + "/.well-known/jwks",
		"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
		"claims_supported": supported, "id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
	})
}

func (s *Service) keys(w http.ResponseWriter, _ *http.Request) {
	if err := s.issuer.ready(); err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.issuer.key.PublicKey, KeyID: s.issuer.id, Algorithm: string(jose.RS256), Use: "sig"}}})
}
