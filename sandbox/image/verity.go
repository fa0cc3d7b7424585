package image

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ctl/internal/json"
	"ctl/sandbox/dmverity"
)

// A Verity says how an image is to be checked while it is read.
type Verity struct {
	Hash      []byte // the root of all hashes, nil if nothing is to be checked
	Usr       bool   // it is of /usr
	Signature []byte // of the root, PKCS#7 in DER, nil for none
	Data      string // the path of a file or device with the hashes, where the image has no partitions
}

// shortestHash is how long a root of hashes is at least, in bytes.
const shortestHash = 16

// ParseHash reads the root of hashes, in hexadecimal digits.
func ParseHash(s string) ([]byte, bool) {
	b, err := hex.DecodeString(s)
	return b, err == nil && len(b) >= shortestHash
}

// ReadHash reads the root of hashes from a file that has nothing else.
func ReadHash(p string) ([]byte, error) {
	text, err := ReadSignature(p)
	if err != nil {
		return nil, err
	}
	hash, ok := ParseHash(string(bytes.TrimSpace(text)))
	if !ok {
		return nil, unix.EINVAL
	}
	return hash, nil
}

// Beside completes what is known by what stands beside an image, as systemd-nspawn(1) finds it: the extended attributes
// user.verity.roothash and user.verity.usrhash, the files .roothash, .usrhash, their .p7s, and .verity.
func (v *Verity) Beside(p string) error {
	base := Name(p)
	for _, name := range [...]string{"roothash", "usrhash"} {
		if v.Hash != nil {
			break
		}
		text := make([]byte, 1024)
		n, err := unix.Getxattr(p, "user.verity."+name, text)
		if err == nil {
			text = text[:n]
		} else if text, err = ReadSignature(base + "." + name); err != nil {
			continue
		}
		hash, ok := ParseHash(string(bytes.TrimSpace(text)))
		if !ok {
			return unix.EINVAL
		}
		v.Hash, v.Usr = hash, name == "usrhash"
		if v.Signature == nil {
			v.Signature, _ = ReadSignature(base + "." + name + ".p7s")
		}
	}
	if _, err := os.Stat(base + ".verity"); err == nil && v.Hash != nil && v.Data == "" {
		v.Data = base + ".verity"
	}
	return nil
}

// longestText is how long a file beside an image, or a partition with a signature, may be, in bytes.
const longestText = 64 << 10

// ReadSignature reads a file that is no longer than a signature can be.
func ReadSignature(p string) ([]byte, error) {
	f, err := os.OpenFile(p, unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, longestText+1))
	if len(b) > longestText {
		err = unix.EFBIG
	}
	return b, err
}

// A check is what a part is checked against.
type check struct {
	file            *os.File // with the hashes, where they are not in the image
	start, size     int64
	hash, signature []byte
	unsigned        bool // it may do without the signature
}

// protect has the part be checked whose root of hashes is known, or told by the image itself, and keeps only parts with contents.
func (m *Image) protect(found []part, v Verity, policy *Policy) ([]part, error) {
	if err := policy.partners(found); err != nil {
		return nil, err
	}
	if v.Hash == nil {
		v = m.embedded(found, policy)
	}
	if v.Hash == nil {
		v = paired(found, policy)
	}
	var l []part
	var sums, checked *part
	r, text := root, hex.EncodeToString(v.Hash)
	if v.Usr {
		r = usr
	}
	for i := range found {
		p := &found[i]
		switch {
		case p.kind == hashes && v.Hash == nil:
			m.unchecked = true
		case p.kind == hashes && p.role == r && p.id == text[len(text)-32:]:
			sums = p
		case p.kind != contents:
		case p.role == r && v.Hash != nil && p.id != "" && p.id != text[:32]:
		default:
			l = append(l, *p)
			if p.role == r {
				checked = &l[len(l)-1]
			}
		}
	}
	if v.Hash == nil {
		return l, nil
	}
	may := policy.allowed(r)
	c := &check{hash: v.Hash, signature: v.Signature, unsigned: may&verity != 0}
	switch {
	case checked == nil, checked.id == "" && (checked.size != 0 || v.Data == ""):
		return nil, ErrNoRoot
	case may&(verity|signed) == 0:
		return nil, ErrNoHashes
	case !c.unsigned && c.signature == nil:
		return nil, ErrPolicy
	case checked.id == "":
		f, err := os.OpenFile(v.Data, unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtection, err)
		}
		c.file = f
	case sums == nil || sums.arch != checked.arch:
		return nil, ErrNoHashes
	default:
		c.start, c.size = sums.start, sums.size
	}
	m.check, checked.check = c, c
	return l, nil
}

// paired is what the IDs of two partitions say, which are the halves of the root.
func paired(found []part, policy *Policy) (v Verity) {
	var data *part
	for i := range found {
		if p := &found[i]; p.kind == contents && p.role <= usr && (data == nil || p.role < data.role || p.role == data.role && better(p, data)) {
			data = p
		}
	}
	if data == nil || data.id == "" || policy.allowed(data.role)&verity == 0 {
		return v
	}
	for i := range found {
		if p := &found[i]; p.kind == hashes && p.role == data.role && p.arch == data.arch {
			v.Hash, _ = ParseHash(data.id + p.id)
			v.Usr = data.role == usr
		}
	}
	return v
}

// partners refuses an image that lacks a partition with hashes or a signature where that has to be, or has one where it must not be.
func (p *Policy) partners(found []part) error {
	if len(found) > 0 && found[0].id == "" {
		return nil // there are no partitions
	}
	for r := root; r <= usr; r++ {
		for k, what := range [...]struct {
			name string
			need protection
		}{{"-verity", verity | signed}, {"-verity-sig", signed}} {
			has := func(k kind) bool {
				return slices.ContainsFunc(found, func(p part) bool { return p.kind == k && p.role == r })
			}
			data := p.allowed(r)
			may, explicit := p.of[r.name()+what.name]
			switch {
			case explicit:
			case data&what.need == 0 || !has(contents):
				continue
			default:
				may = unprotected | data&ignored
			}
			if is := has(hashes + kind(k)); is && may&unprotected == 0 || !is && may&absent == 0 {
				return ErrPolicy
			}
		}
	}
	return nil
}

// embedded is what a partition with a signature says.
func (m *Image) embedded(found []part, policy *Policy) (v Verity) {
	var best *part
	for i := range found {
		if p := &found[i]; p.kind == signature && p.role <= usr && policy.allowed(p.role)&signed != 0 && (best == nil || better(p, best)) {
			best = p
		}
	}
	if best == nil || best.size > longestText {
		return v
	}
	text := make([]byte, best.size)
	if _, err := m.file.ReadAt(text, best.start); err != nil {
		return v
	}
	said, err := json.Parse(bytes.TrimRight(text, "\x00"))
	if err != nil || !said.Is(json.Object) {
		return v
	}
	root, signature := said.Member("rootHash"), said.Member("signature")
	if root == nil || signature == nil {
		return v
	}
	hash, ok := ParseHash(root.Text())
	signed, err := base64.StdEncoding.DecodeString(signature.Text())
	if !ok || err != nil {
		return v
	}
	return Verity{Hash: hash, Usr: best.role == usr, Signature: signed}
}

// Unchecked tells that an image could be checked, if somebody said against what.
func (m *Image) Unchecked() bool { return m.unchecked }

// ErrProtection says that an image is not checked; another error says why.
var ErrProtection = errors.New("Failed to decrypt/set up image")

// ErrSignature is that nobody the kernel knows has signed the root of an image's hashes.
var ErrSignature = errors.New("Image lacks recognized signature.")

// checked makes a device of a part that is checked while it is read.
func (m *Image) checked(p part) (*os.File, error) {
	fail := func(err error) (*os.File, error) { return nil, fmt.Errorf("%w: %w", ErrProtection, err) }
	c, size := p.check, p.size
	file := m.file
	if c.file != nil {
		file = c.file
	}
	if size == 0 {
		end, err := m.file.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, err
		}
		size = end
	}
	length := c.size
	if length == 0 {
		length = 1 << 62
	}
	s, err := dmverity.ReadSuperblock(io.NewSectionReader(file, c.start, length), size)
	if err != nil {
		return fail(err)
	}
	data, err := loop(m.file, p.start, p.size, true)
	if err != nil {
		return nil, err
	}
	defer data.Close() // the kernel keeps both
	sums, err := loop(file, c.start, c.size, true)
	if err != nil {
		return nil, err
	}
	defer sums.Close()
	device, err := s.Open(data, sums, c.hash, c.signature)
	if err != nil && c.signature != nil && c.unsigned {
		device, err = s.Open(data, sums, c.hash, nil)
	}
	if err != nil && c.signature != nil && !c.unsigned && !errors.Is(err, dmverity.ErrNoKernel) {
		return nil, ErrSignature
	}
	if err != nil {
		return fail(err)
	}
	return device, nil
}
