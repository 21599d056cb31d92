package artifact

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Source names files of a job as actions/upload-artifact does.
type Source struct {
	Paths  []string // patterns, one a line; ! takes out
	Hidden bool     // include-hidden-files
	Space  glob.Space
	Dir    string // the job's workspace, as the job sees it
	Home   string
}

// Save makes an artifact of files. Files is 0 and ID is 0 where the patterns find none: then nothing is kept and
// nothing is deleted. Folders alone are not kept, links are followed, and every file's path counts from the deepest
// folder that all patterns have in common (README of actions/upload-artifact, "Upload using Multiple Paths and
// Exclusions").
func (s *Store) Save(ctx context.Context, n New, from Source) (Info, error) {
	if err := CheckName(n.Name); err != nil {
		return Info{}, err
	}
	view := from.Space.Open()
	defer view.Close()
	files, root, err := from.files(ctx, view)
	if err != nil || len(files) == 0 {
		return Info{}, err
	}
	if limit := s.Limits.orDefault().Entries; len(files) > limit {
		return Info{}, fault.New(CodeTooBig, "%d files are too many for an artifact; %d are allowed", len(files), limit)
	}
	if err := s.Check(ctx, n); err != nil {
		return Info{}, err
	}
	fresh, err := s.fresh(n.Run)
	if err != nil {
		return Info{}, err
	}
	defer os.RemoveAll(fresh)
	p := packer{view: view, left: s.Limits.orDefault().Bytes, buf: make([]byte, small), copy: make([]byte, 128<<10)}
	info, err := p.pack(ctx, filepath.Join(fresh, contentFile), files, root)
	if err != nil {
		return Info{}, err
	}
	n.MIME = ""
	return s.keep(n, fresh, info)
}

// files finds what is named, and the folder that the paths in the artifact count from.
func (f Source) files(ctx context.Context, view *glob.View) (files []string, root string, err error) {
	patterns, err := glob.Parse(f.Paths, glob.Options{Dir: f.Dir, Home: f.Home, SkipHidden: !f.Hidden, NoFolders: true})
	if err != nil {
		return nil, "", err
	}
	err = patterns.Find(ctx, view, func(found glob.Found) error {
		files = append(files, found.Path)
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("look for the artifact's files: %w", err)
	}
	roots := patterns.Roots()
	switch {
	case len(files) == 0:
		return nil, "", nil
	case len(roots) > 1:
		root, err = glob.Common(roots)
	case len(files) == 1 && roots[0] == files[0]:
		root = path.Dir(files[0])
	default:
		root = roots[0]
	}
	return files, root, err
}

// small is how much of a file is held in memory, so that it is read only once.
const small = 1 << 20

type packer struct {
	view *glob.View
	left int64
	buf  []byte
	copy []byte
}

// pack writes the zip. Nothing is compressed: it does not leave the machine, and the tools that read it are many times
// faster so.
func (p *packer) pack(ctx context.Context, to string, files []string, root string) (info Info, err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return info, fmt.Errorf("make the artifact: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := newDigester()
	defer func() { info.Digest = sum.Sum() }()
	buffered := bufio.NewWriterSize(io.MultiWriter(out, sum), piece)
	z := zip.NewWriter(buffered)
	for _, file := range files {
		if ctx.Err() != nil {
			return info, context.Cause(ctx)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(file, root), "/")
		if err := checkPath(name); err != nil {
			return info, err
		}
		if err := p.one(z, file, name); err != nil {
			return info, fmt.Errorf("put %s into the artifact: %w", name, err)
		}
		info.Files++
	}
	if err := errors.Join(z.Close(), buffered.Flush()); err != nil {
		return info, fmt.Errorf("write the artifact: %w", err)
	}
	at, err := out.Seek(0, io.SeekCurrent)
	if err != nil {
		return info, fmt.Errorf("write the artifact: %w", err)
	}
	info.Size = at
	return info, nil
}

// one puts a file into the zip. Its checksum comes first, since a reader of a stream needs to know where an entry that
// is not compressed ends.
func (p *packer) one(z *zip.Writer, file, name string) error {
	in, stat, err := p.view.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if p.left -= stat.Size(); p.left < 0 {
		return fault.New(CodeTooBig, "the artifact's files are too large together")
	}
	crc, size, body, err := p.look(in)
	if err != nil {
		return err
	}
	w, err := z.CreateRaw(header(name, stat, crc, size))
	if err != nil {
		return err
	}
	again := crc32.NewIEEE()
	n, err := io.CopyBuffer(w, io.TeeReader(io.LimitReader(body, size), again), p.copy)
	if err == nil && (n != size || again.Sum32() != crc) {
		err = errors.New("it changed while it was read")
	}
	return err
}

// look reads a file through, and gives what to read it by again.
func (p *packer) look(in *os.File) (crc uint32, size int64, body io.Reader, err error) {
	n, err := io.ReadFull(in, p.buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return crc32.ChecksumIEEE(p.buf[:n]), int64(n), bytes.NewReader(p.buf[:n]), nil
	}
	if err != nil {
		return 0, 0, nil, err
	}
	h := crc32.NewIEEE()
	_, _ = h.Write(p.buf) // a hash takes everything
	more, err := io.Copy(h, in)
	if err != nil {
		return 0, 0, nil, err
	}
	size = int64(n) + more
	return h.Sum32(), size, io.NewSectionReader(in, 0, size), nil
}

// header has the mode that GitHub's artifacts give to all files.
func header(name string, stat fs.FileInfo, crc uint32, size int64) *zip.FileHeader {
	h := &zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc, CompressedSize64: uint64(size), UncompressedSize64: uint64(size)}
	h.SetMode(0o644)
	at := stat.ModTime()
	//lint:ignore SA1019 CreateRaw writes these fields, and nothing else sets them
	h.SetModTime(at) //nolint:staticcheck // as above
	h.Modified = at
	if !ascii(name) && utf8.ValidString(name) {
		h.Flags |= 0x800 // the name is UTF-8
	}
	extra := []byte{0x55, 0x54, 5, 0, 1} // the time in seconds since 1970
	h.Extra = binary.LittleEndian.AppendUint32(extra, uint32(at.Unix()))
	return h
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
