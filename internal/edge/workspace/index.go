package workspace

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// Modes of index entries (gitformat-index).
const (
	modeType    = 0o170000
	modeLink    = 0o120000
	modeGitlink = 0o160000
)

// Flags of index entries, the extended ones in the upper half.
const (
	flagExtended     = 0x4000
	flagName         = 0x0fff
	flagSkipWorktree = 0x4000_0000
)

// errUnknownIndex means an index that only git itself can read (split, sparse or newer than we know).
var errUnknownIndex = errors.New("an index of a form that only git reads")

// indexEntry is one line of git's index. The numbers of stat are cut to 32 bits, as git keeps them.
type indexEntry struct {
	stat  [10]uint32 // ctime s, ns, mtime s, ns, dev, ino, mode, uid, gid, size
	oid   []byte
	flags uint32 // without the length of the name
	path  string
}

func (e *indexEntry) mode() uint32       { return e.stat[6] }
func (e *indexEntry) skipWorktree() bool { return e.flags&flagSkipWorktree != 0 }

// index is git's list of tracked files: the entries, and the extension that remembers the trees they make.
type index struct {
	entries []indexEntry
	tree    []byte
}

// parseIndex reads an index of version 2 to 4. oidSize is 20 or 32. Paths share the memory of one string each.
func parseIndex(b []byte, oidSize int) (*index, error) {
	if len(b) < 12+oidSize || string(b[:4]) != "DIRC" {
		return nil, errors.New("not an index")
	}
	version, count := binary.BigEndian.Uint32(b[4:]), int(binary.BigEndian.Uint32(b[8:]))
	if version < 2 || version > 4 {
		return nil, errUnknownIndex
	}
	body := b[12 : len(b)-oidSize]
	if count > len(body)/(42+oidSize) {
		return nil, errors.New("the index is cut short")
	}
	x := &index{entries: make([]indexEntry, count)}
	previous := ""
	for i := range x.entries {
		n, err := x.entries[i].parse(body, oidSize, version, previous)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the index: %w", i, err)
		}
		previous = x.entries[i].path
		body = body[n:]
	}
	return x, x.extensions(body)
}

// parse reads the entry at the start of b and returns its length.
func (e *indexEntry) parse(b []byte, oidSize int, version uint32, previous string) (int, error) {
	short := errors.New("it is cut short")
	at := 40 + oidSize + 2
	if len(b) < at {
		return 0, short
	}
	for i := range e.stat {
		e.stat[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	e.oid = b[40 : 40+oidSize]
	flags := uint32(binary.BigEndian.Uint16(b[40+oidSize:]))
	if flags&flagExtended != 0 {
		if version < 3 || len(b) < at+2 {
			return 0, short
		}
		flags |= uint32(binary.BigEndian.Uint16(b[at:])) << 16
		at += 2
	}
	e.flags = flags &^ flagName
	keep := 0
	if version == 4 {
		strip, n := varint(b[at:])
		if n == 0 || strip > len(previous) {
			return 0, errors.New("its name is damaged")
		}
		keep, at = len(previous)-strip, at+n
	}
	end := bytes.IndexByte(b[at:], 0)
	if end < 0 {
		return 0, short
	}
	e.path = previous[:keep] + string(b[at:at+end])
	if version == 4 {
		return at + end + 1, nil
	}
	length := (at + end + 8) &^ 7
	if length > len(b) {
		return 0, short
	}
	return length, nil
}

// varint reads the offset encoding that git also uses in packs; n is 0 when it is cut short.
func varint(b []byte) (value, n int) {
	for i, c := range b {
		if i > 4 {
			return 0, 0
		}
		if i > 0 {
			value++
		}
		value = value<<7 | int(c&0x7f)
		if c&0x80 == 0 {
			return value, i + 1
		}
	}
	return 0, 0
}

// extensions reads what follows the entries. Names in lower case must be understood: those are git's business.
func (x *index) extensions(b []byte) error {
	for len(b) >= 8 {
		name, size := string(b[:4]), int(binary.BigEndian.Uint32(b[4:]))
		if size > len(b)-8 {
			return errors.New("an extension of the index is cut short")
		}
		switch {
		case name == "TREE":
			x.tree = b[8 : 8+size]
		case name[0] < 'A' || name[0] > 'Z':
			return errUnknownIndex
		}
		b = b[8+size:]
	}
	return nil
}

// template is an index file, ready but for the stat numbers and the checksum. Offsets are where each entry begins.
type template struct {
	bytes   []byte
	offsets []int
	sum     func() hash.Hash
}

// template lays the entries out as an index of version 2, or 3 where one has extended flags, all stats zero but the mode:
// git then compares the content when it is asked, and finds what is true.
func (x *index) template(oidSize int) *template {
	version := uint32(2)
	for i := range x.entries {
		if x.entries[i].flags>>16 != 0 {
			version = 3
		}
	}
	t := &template{offsets: make([]int, len(x.entries)), sum: sha1.New}
	if oidSize == sha256.Size {
		t.sum = sha256.New
	}
	b := append(make([]byte, 0, 64+len(x.entries)*128), "DIRC"...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(x.entries)))
	for i := range x.entries {
		e := &x.entries[i]
		start := len(b)
		t.offsets[i] = start
		b = append(b, make([]byte, 24)...)
		b = binary.BigEndian.AppendUint32(b, e.mode())
		b = append(b, make([]byte, 12)...)
		b = append(b, e.oid...)
		name := uint32(min(len(e.path), flagName))
		b = binary.BigEndian.AppendUint16(b, uint16(e.flags|name))
		if e.flags&flagExtended != 0 {
			b = binary.BigEndian.AppendUint16(b, uint16(e.flags>>16))
		}
		b = append(b, e.path...)
		length := (len(b) - start + 8) &^ 7
		b = append(b, make([]byte, start+length-len(b))...)
	}
	if x.tree != nil {
		b = append(b, "TREE"...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(x.tree)))
		b = append(b, x.tree...)
	}
	t.bytes = b
	return t
}

// fill returns the index with the stats that stat gives (ok false leaves an entry's at zero).
func (t *template) fill(stat func(i int) (s [10]uint32, ok bool)) []byte {
	b := append(make([]byte, 0, len(t.bytes)+sha256.Size), t.bytes...)
	for i, at := range t.offsets {
		s, ok := stat(i)
		if !ok {
			continue
		}
		for j, v := range s {
			if j != 6 { // the mode is git's, not the file's
				binary.BigEndian.PutUint32(b[at+4*j:], v)
			}
		}
	}
	h := t.sum()
	h.Write(b)
	return h.Sum(b)
}
