package toolkit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// routes are what the services answer to.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	for name, method := range s.artifactMethods() {
		mux.HandleFunc("POST /twirp/github.actions.results.api.v1.ArtifactService/"+name, s.twirp(method))
	}
	for name, method := range s.cacheMethods() {
		mux.HandleFunc("POST /twirp/github.actions.results.api.v1.CacheService/"+name, s.twirp(method))
	}
	s.olderCache(mux)
	mux.HandleFunc("/blobs/{kind}/{id}", s.blobs)
	mux.HandleFunc("GET /"+idTokenPath, s.idToken)
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /.well-known/jwks", s.keys)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, release, ok := s.caller(r); ok {
			release()
			answer(w, refuse(http.StatusNotFound, "bad_route", "no service of Actions is at %s; artifacts are served to clients of version 4, caches to those of versions 1 and 2", r.URL.Path))
			return
		}
		answer(w, errNoToken)
	})
	return s.meantForUs(mux)
}

// meantForUs turns requests away that name another host: a page in a browser must not reach the services under a name
// of its own.
func (s *Service) meantForUs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knows(r.Host) {
			answer(w, refuse(http.StatusMisdirectedRequest, "permission_denied", "the services are not known as %q", r.Host))
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func (s *Service) knows(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		ours, at, _ := net.SplitHostPort(l.host)
		if port == at && (name == ours || name == "localhost" || slices.Contains(s.o.Hosts, name)) {
			return true
		}
	}
	return false
}

// caller is the job whose token a request bears. It cannot end before release is called.
func (s *Service) caller(r *http.Request) (j *job, release func(), ok bool) {
	kind, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(kind, "bearer") {
		return nil, nil, false
	}
	s.mu.Lock()
	j = s.tokens[sha256.Sum256([]byte(strings.TrimSpace(token)))]
	s.mu.Unlock()
	if j == nil {
		return nil, nil, false
	}
	release, ok = j.alive()
	return j, release, ok
}

// maxMessage bounds a message to a service, in bytes.
const maxMessage = 1 << 20

// method answers one message of a job.
type method func(r *http.Request, j *job, message []byte) (any, error)

// twirp serves a method as Twirp's JSON has it (twitchtv/twirp, "Protocol specification").
func (s *Service) twirp(serve method) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, release, ok := s.caller(r); ok {
			release()
		} else {
			answer(w, errNoToken)
			return
		}
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
			answer(w, refuse(http.StatusUnsupportedMediaType, "malformed", "messages are taken as application/json only"))
			return
		}
		message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
		if err != nil {
			answer(w, tooLongOr(err))
			return
		}
		j, release, ok := s.caller(r) // again: however slow the message came, nothing waited for it
		if !ok {
			answer(w, errNoToken)
			return
		}
		defer release()
		reply, err := serve(r, j, message)
		if err != nil {
			answer(w, err)
			return
		}
		writeJSON(w, http.StatusOK, reply)
	}
}

func tooLongOr(err error) error {
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return refuse(http.StatusRequestEntityTooLarge, "malformed", "the message has more than %d bytes", tooLong.Limit)
	}
	return refuse(http.StatusBadRequest, "malformed", "the message cannot be read: %v", err)
}

// refusal is an error that a client is told.
type refusal struct {
	status int
	code   string // Twirp's
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, code, format string, args ...any) error {
	return &refusal{status, code, fault.New("", format, args...).Message}
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "invalid_argument", format, args...)
}

var errNoToken = refuse(http.StatusUnauthorized, "unauthenticated", "the token of a job that runs is needed")

// told is an error as a client is told it.
func told(err error) *refusal {
	var out *refusal
	if errors.As(err, &out) {
		return out
	}
	text := err.Error()
	var f *fault.Fault
	if errors.As(err, &f) {
		text = f.Message
	}
	switch fault.CodeOf(err) {
	case artifact.CodeExists:
		// The words are GitHub's: people search for them.
		return &refusal{http.StatusConflict, "already_exists", "an artifact with this name already exists on the workflow run"}
	case artifact.CodeMissing:
		return &refusal{http.StatusNotFound, "not_found", text}
	case artifact.CodeName, artifact.CodeTooBig, artifact.CodeDamaged, artifact.CodeUnsafe:
		return &refusal{http.StatusBadRequest, "invalid_argument", text}
	}
	return &refusal{http.StatusInternalServerError, "internal", text}
}

func answer(w http.ResponseWriter, err error) {
	r := told(err)
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, r.status, map[string]string{"code": r.code, "msg": r.text, "message": r.text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"code":"internal","msg":"the answer cannot be written"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // whoever asked has gone
}
