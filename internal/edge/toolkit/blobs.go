package toolkit

import (
	"crypto/md5" //nolint:gosec // Azure's clients send it against damage on the way
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// The addresses of blobs: kindUpload to write to, kindGrant to read from.
const (
	kindUpload = "upload"
	kindGrant  = "download"
)

// grant is the right of a job to download one file.
type grant struct {
	id, sig  string
	job      *job
	mime     string
	fileName string
	etag     string
	open     func() (*os.File, error)
}

// allow gives out an address to download from. The caller holds the job alive.
func (s *Service) allow(r *http.Request, g *grant) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, other := range s.grants {
		if other.job == g.job {
			n++
		}
	}
	if n >= s.limits.Grants {
		return "", refuse(http.StatusBadRequest, "resource_exhausted", "the job has asked for %d addresses to download from, and may have no more", n)
	}
	g.id, g.sig = rand.Text(), rand.Text()
	s.grants[g.id] = g
	return address(r, kindGrant, g.id, g.sig), nil
}

// address is that of a blob, on the host that the request was sent to. It is of Azure's shape: account, container, blob.
func address(r *http.Request, kind, id, sig string) string {
	q := url.Values{"sig": {sig}, "se": {time.Now().Add(lifetime).UTC().Format(time.RFC3339)}, "sp": {map[string]string{kindUpload: "cw", kindGrant: "r"}[kind]}}
	return "http://" + r.Host + "/blobs/" + kind + "/" + id + "?" + q.Encode()
}

// blobs serves what Azure's block blob clients ask for (learn.microsoft.com, "Blob Storage REST API": Put Blob, Put
// Block, Put Block List, Get Blob, Get Blob Properties).
func (s *Service) blobs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Ms-Request-Id", rand.Text())
	w.Header().Set("X-Ms-Version", "2021-12-02")
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" && len(id) <= 1024 {
		w.Header().Set("X-Ms-Client-Request-Id", id)
	}
	s.mu.Lock()
	u, g := s.uploads[r.PathValue("id")], s.grants[r.PathValue("id")]
	s.mu.Unlock()
	switch kind := r.PathValue("kind"); {
	case kind == kindUpload && u != nil && signed(r, u.sig):
		if r.Method != http.MethodPut {
			azure(w, http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "an upload's address takes PUT only")
			return
		}
		s.put(w, r, u)
	case kind == kindGrant && g != nil && signed(r, g.sig):
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			azure(w, http.StatusForbidden, "AuthorizationPermissionMismatch", "a download's address takes GET and HEAD only")
			return
		}
		s.get(w, r, g)
	default:
		azure(w, http.StatusForbidden, "AuthenticationFailed", "the address is not signed for a job that runs")
	}
}

func (s *Service) put(w http.ResponseWriter, r *http.Request, u *upload) {
	switch comp := r.URL.Query().Get("comp"); comp {
	case "":
		s.putWhole(w, r, u)
	case "block":
		s.putBlock(w, r, u)
	case "blocklist":
		s.putList(w, r, u)
	default:
		azure(w, http.StatusBadRequest, "InvalidQueryParameterValue", "comp="+comp+" is not served")
	}
}

// body is what is uploaded, with its checksum watched; check says at the end whether it is what the client sent.
func body(r *http.Request) (in io.Reader, also []io.Writer, check func() bool, ok bool) {
	if r.Header.Get("X-Ms-Structured-Body") != "" {
		return nil, nil, nil, false
	}
	want, err := base64.StdEncoding.DecodeString(r.Header.Get("Content-Md5"))
	if err != nil {
		return nil, nil, nil, false
	}
	if len(want) == 0 {
		return r.Body, nil, func() bool { return true }, true
	}
	h := md5.New() //nolint:gosec // as above
	return r.Body, []io.Writer{h}, func() bool { return string(h.Sum(nil)) == string(want) }, true
}

// receive takes a body in. Where it returns false it has answered.
func (s *Service) receive(w http.ResponseWriter, r *http.Request, u *upload, digest hash.Hash) (b block, ok bool) {
	in, also, check, ok := body(r)
	if !ok {
		azure(w, http.StatusBadRequest, "InvalidHeaderValue", "the headers of the body are not served")
		return b, false
	}
	if r.ContentLength > u.limits.Bytes {
		azureErr(w, errTooLarge)
		return b, false
	}
	if digest != nil {
		also = append(also, digest)
	}
	b, err := u.take(in, also...)
	if err != nil {
		azureErr(w, err)
		return b, false
	}
	if !check() {
		u.forget(b)
		azure(w, http.StatusBadRequest, "Md5Mismatch", "the body is not what its Content-MD5 says")
		return b, false
	}
	return b, true
}

func (s *Service) putWhole(w http.ResponseWriter, r *http.Request, u *upload) {
	if kind := r.Header.Get("X-Ms-Blob-Type"); kind != "BlockBlob" {
		azure(w, http.StatusBadRequest, "InvalidHeaderValue", "x-ms-blob-type must be BlockBlob")
		return
	}
	h := sha256.New()
	b, ok := s.receive(w, r, u, h)
	if !ok {
		return
	}
	release, ok := u.job.alive()
	if !ok {
		u.forget(b)
		azureErr(w, errEnded)
		return
	}
	defer release()
	if err := u.whole(b, hex.EncodeToString(h.Sum(nil))); err != nil {
		azureErr(w, err)
		return
	}
	created(w, u.id)
}

// maxBlockID bounds a block's id, in bytes as it is sent.
const maxBlockID = 256

func (s *Service) putBlock(w http.ResponseWriter, r *http.Request, u *upload) {
	id := r.URL.Query().Get("blockid")
	if _, err := base64.StdEncoding.DecodeString(id); err != nil || id == "" || len(id) > maxBlockID {
		azure(w, http.StatusBadRequest, "InvalidQueryParameterValue", "blockid must be in Base64")
		return
	}
	b, ok := s.receive(w, r, u, nil)
	if !ok {
		return
	}
	release, ok := u.job.alive()
	if !ok {
		u.forget(b)
		azureErr(w, errEnded)
		return
	}
	defer release()
	if err := u.stage(id, b); err != nil {
		azureErr(w, err)
		return
	}
	created(w, u.id)
}

// blockList is the body of Put Block List: where a block is looked for makes no difference here.
type blockList struct {
	XMLName xml.Name `xml:"BlockList"`
	Blocks  []struct {
		XMLName xml.Name
		ID      string `xml:",chardata"`
	} `xml:",any"`
}

func (s *Service) putList(w http.ResponseWriter, r *http.Request, u *upload) {
	// An id with its element is shorter than 2 KiB, whatever it is.
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(u.limits.Blocks)*(maxBlockID+64)+4096))
	if err != nil {
		azure(w, http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "the list of blocks is too long")
		return
	}
	var list blockList
	if err := xml.Unmarshal(text, &list); err != nil {
		azure(w, http.StatusBadRequest, "InvalidXmlDocument", "the list of blocks cannot be read")
		return
	}
	ids := make([]string, 0, len(list.Blocks))
	for _, b := range list.Blocks {
		switch b.XMLName.Local {
		case "Latest", "Uncommitted", "Committed":
			ids = append(ids, b.ID)
		default:
			azure(w, http.StatusBadRequest, "InvalidXmlNodeValue", "the list of blocks has an element of another name in it")
			return
		}
	}
	if len(ids) > u.limits.Blocks {
		azure(w, http.StatusBadRequest, "BlockListTooLong", "the list has too many blocks")
		return
	}
	release, ok := u.job.alive()
	if !ok {
		azureErr(w, errEnded)
		return
	}
	defer release()
	if _, err := u.commit(ids); err != nil {
		azureErr(w, err)
		return
	}
	created(w, u.id)
}

var errEnded = errors.New("the job has ended")

func created(w http.ResponseWriter, etag string) {
	h := w.Header()
	h.Set("Etag", `"`+etag+`"`)
	h.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	h.Set("X-Ms-Request-Server-Encrypted", "false")
	w.WriteHeader(http.StatusCreated)
}

func (s *Service) get(w http.ResponseWriter, r *http.Request, g *grant) {
	release, ok := g.job.alive()
	if !ok {
		azureErr(w, errEnded)
		return
	}
	file, err := g.open()
	release() // what is open stays readable; a slow reader keeps no job from ending
	if err != nil {
		if told(err).status == http.StatusNotFound || errors.Is(err, os.ErrNotExist) {
			azure(w, http.StatusNotFound, "BlobNotFound", "the blob is no longer there")
			return
		}
		azureErr(w, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		azureErr(w, err)
		return
	}
	if ranged := r.Header.Get("X-Ms-Range"); ranged != "" {
		r.Header.Set("Range", ranged)
	}
	h := w.Header()
	h.Set("Content-Type", g.mime)
	h.Set("Etag", `"`+g.etag+`"`)
	h.Set("Content-Disposition", disposition(g.fileName))
	h.Set("X-Ms-Blob-Type", "BlockBlob")
	h.Set("X-Ms-Creation-Time", info.ModTime().UTC().Format(http.TimeFormat))
	h.Set("X-Ms-Lease-State", "available")
	h.Set("X-Ms-Lease-Status", "unlocked")
	h.Set("X-Ms-Server-Encrypted", "false")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// disposition names a download; clients take the name in UTF-8 first.
func disposition(name string) string {
	plain := []rune(name)
	for i, c := range plain {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			plain[i] = '_'
		}
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": string(plain)}) + "; filename*=UTF-8''" + url.PathEscape(name)
}

// azure answers an error in Azure's form.
func azure(w http.ResponseWriter, status int, code, text string) {
	type failure struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	out, err := xml.Marshal(failure{Code: code, Message: text})
	if err != nil {
		out = nil
	}
	w.Header().Set("X-Ms-Error-Code", code)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(xml.Header)+len(out)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header+string(out)) // whoever asked has gone
}

func azureErr(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		azure(w, http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "the upload is larger than this machine's limits allow")
	case errors.Is(err, errUnknownBlock):
		azure(w, http.StatusBadRequest, "InvalidBlockList", errUnknownBlock.Error())
	case errors.Is(err, errEnded):
		azure(w, http.StatusForbidden, "AuthenticationFailed", "the address is not signed for a job that runs")
	case errors.Is(err, io.ErrUnexpectedEOF):
		azure(w, http.StatusBadRequest, "RequestBodyIncomplete", "the body ended early")
	default:
		azure(w, http.StatusInternalServerError, "InternalError", err.Error())
	}
}
