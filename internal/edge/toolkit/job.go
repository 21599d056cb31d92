package toolkit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Job is one attempt of a job that is to be served.
type Job struct {
	ID      string // in the run
	Attempt int    // from 1
	Claims  map[string]any
	IDToken bool // permissions: id-token: write
	// Scope is the branch (refs/heads/main) that caches are saved for, Scopes are those that they are looked for in, in
	// turn (GitHub Docs, "Dependency caching reference", restrictions for accessing a cache). "" and none: there are no
	// branches.
	Scope  string
	Scopes []string
	// Listen is the address that the job reaches the services by, "" for loopback: that of a container's bridge. It is
	// listened on where that is not done already.
	Listen string
}

// job is a Job that is being served.
type job struct {
	Job
	run, backend string // the ids that clients call the run and the job by
	digest       [32]byte
	made         atomic.Int64 // artifacts
	bytes        atomic.Int64 // of uploads that are not finished

	mu    sync.RWMutex // held to write by End: no request is in the middle of a change then
	ended bool
}

// Job begins to serve a job. env are the variables by which its steps reach the services; secret is in them and must be
// masked in its output.
func (s *Service) Job(j Job) (env []string, secret string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ctx.Err() != nil {
		return nil, "", fault.New(CodeJob, "the job %q asks for services of a run that is over", j.ID)
	}
	key := jobKey{j.ID, j.Attempt}
	if s.jobs[key] != nil {
		return nil, "", fault.New(CodeJob, "the job %q is served already", j.ID)
	}
	if err := s.open(); err != nil {
		return nil, "", err
	}
	if err := s.listen(j.Listen); err != nil {
		return nil, "", err
	}
	j.Claims = maps.Clone(j.Claims)
	served := &job{Job: j, run: backendID("run", s.o.Run, ""), backend: backendID("job", s.o.Run, j.ID)}
	token, err := s.token(served)
	if err != nil {
		return nil, "", err
	}
	served.digest = sha256.Sum256([]byte(token))
	s.jobs[key], s.tokens[served.digest] = served, served
	base := s.base(j.Listen)
	env = []string{
		"ACTIONS_RUNTIME_URL=" + base,
		"ACTIONS_RUNTIME_TOKEN=" + token,
		"ACTIONS_RESULTS_URL=" + base,
		"ACTIONS_CACHE_URL=" + base,
		"ACTIONS_CACHE_SERVICE_V2=True",
	}
	if j.IDToken {
		env = append(env, "ACTIONS_ID_TOKEN_REQUEST_URL="+base+idTokenPath+"?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+token)
	}
	return env, token, nil
}

// End ends the service of a job: its token and the addresses signed for it are dead when End returns, and its uploads
// that were not finished are removed. A job that is not served is no error.
func (s *Service) End(id string, attempt int) {
	s.mu.Lock()
	j := s.jobs[jobKey{id, attempt}]
	if j == nil {
		s.mu.Unlock()
		return
	}
	delete(s.jobs, jobKey{id, attempt})
	delete(s.tokens, j.digest)
	s.mu.Unlock()

	j.mu.Lock() // waits for requests that are in the middle of a change
	j.ended = true
	j.mu.Unlock()

	s.mu.Lock()
	var open []*upload
	for k, u := range s.uploads {
		if u.job == j {
			open = append(open, u)
			delete(s.uploads, k)
		}
	}
	for k, g := range s.grants {
		if g.job == j {
			delete(s.grants, k)
		}
	}
	s.mu.Unlock()
	for _, u := range open {
		u.drop()
	}
}

// alive takes part in the job's life: it cannot end until release is called. ok is false where it has ended.
func (j *job) alive() (release func(), ok bool) {
	j.mu.RLock()
	if j.ended {
		j.mu.RUnlock()
		return nil, false
	}
	return j.mu.RUnlock, true
}

// backendID is the UUID by which clients call a run or a job of ours.
func backendID(kind, run, id string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + run + "\x00" + id))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// lifetime of a job's token on paper, longer than any job may take; in truth it ends with the job.
const lifetime = 6*24*time.Hour + time.Hour

// token writes a job's token as clients read it: scp names the run and the job, ac the scopes of caches with what may
// be done there (1 read, 2 write).
func (s *Service) token(j *job) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: s.secret}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign the job's token: %w", err)
	}
	type access struct {
		Scope      string
		Permission int
	}
	scopes := []access{{j.Scope, 3}}
	for _, read := range j.Scopes {
		if read != j.Scope {
			scopes = append(scopes, access{read, 1})
		}
	}
	ac, err := json.Marshal(scopes)
	if err != nil {
		return "", fmt.Errorf("write the job's token: %w", err)
	}
	now := time.Now()
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"scp": "Actions.Results:" + j.run + ":" + j.backend,
		"ac":  string(ac), "sub": j.backend, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(lifetime).Unix(),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign the job's token: %w", err)
	}
	return text, nil
}
