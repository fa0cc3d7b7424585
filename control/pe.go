package control

import (
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// A program is one for EFI, of which the sections are a kernel, its initrd and command line, and whose they are: a unified kernel image. Go's
// debug/pe would make every start of ctl dearer.
type program struct {
	file     io.ReaderAt
	sections []peSection
	profiles []int // which sections begin those of a profile
	foreign  bool  // for another architecture
	kernel   bool  // it is a unified kernel image
}

type peSection struct {
	name       string
	start, end uint32 // in the file
}

// The PE format, Microsoft's specification of it.
const (
	peAt            = 0x3c // where the file says where the header is
	peHeader        = 24   // bytes, with the four of the signature
	peSubsystem     = 68   // in the optional header
	peSectionHeader = 40
	peMostSections  = 96
	peApplication   = 10 // a subsystem: EFI
)

// openProgram finds the parts of a unified kernel image. EBADMSG: it is no program.
func openProgram(r io.ReaderAt) (*program, error) {
	read := func(at int64, n int) []byte {
		b := make([]byte, n)
		if _, err := r.ReadAt(b, at); err != nil && err != io.EOF {
			return make([]byte, n)
		}
		return b
	}
	le := binary.LittleEndian
	dos := read(0, peAt+4)
	at := int64(le.Uint32(dos[peAt:]))
	header := read(at, peHeader)
	count, optional := int(le.Uint16(header[6:])), int(le.Uint16(header[20:]))
	if string(dos[:2]) != "MZ" || string(header[:4]) != "PE\x00\x00" || count > peMostSections || optional < peSubsystem+2 {
		return nil, syscall.EBADMSG
	}
	p := &program{file: r, foreign: le.Uint16(header[4:]) != peMachine(runtime.GOARCH)}
	isEFI := le.Uint16(read(at+peHeader+peSubsystem, 2)) == peApplication
	table := read(at+peHeader+int64(optional), count*peSectionHeader)
	for h := range slices.Chunk(table, peSectionHeader) {
		size, stored, start := le.Uint32(h[8:]), le.Uint32(h[16:]), le.Uint32(h[20:])
		name, _, _ := strings.Cut(string(h[:8]), "\x00")
		if name == ".profile" {
			p.profiles = append(p.profiles, len(p.sections))
		}
		p.sections = append(p.sections, peSection{name, start, start + min(size, stored)})
	}
	p.kernel = isEFI && among(p.sections, ".osrel") != nil && among(p.sections, ".linux") != nil
	return p, nil
}

// peMachine is what PE calls an architecture.
func peMachine(arch string) uint16 {
	switch arch {
	case "amd64":
		return 0x8664
	case "386":
		return 0x14c
	case "arm64":
		return 0xaa64
	case "arm":
		return 0x1c2
	case "riscv64":
		return 0x5064
	case "loong64":
		return 0x6264
	}
	return 0
}

// among is the first section of a name.
func among(l []peSection, name string) *peSection {
	if i := slices.IndexFunc(l, func(s peSection) bool { return s.name == name }); i >= 0 {
		return &l[i]
	}
	return nil
}

// section is a section of a profile: its own, or that of all.
func (p *program) section(profile int, name string) *peSection {
	if len(p.profiles) == 0 {
		return among(p.sections, name)
	}
	to := len(p.sections)
	if profile+1 < len(p.profiles) {
		to = p.profiles[profile+1]
	}
	if s := among(p.sections[p.profiles[profile]:to], name); s != nil {
		return s
	}
	return among(p.sections[:p.profiles[0]], name)
}

// contents are what is in a section.
func (p *program) contents(s *peSection) *io.SectionReader {
	return io.NewSectionReader(p.file, int64(s.start), int64(s.end)-int64(s.start))
}

// text is what a section of text says, "" where there is none. EBADMSG: it is none.
func (p *program) text(profile int, name string) (string, error) {
	s := p.section(profile, name)
	if s == nil {
		return "", nil
	}
	const most = 4 << 20
	b, err := io.ReadAll(io.LimitReader(p.contents(s), most))
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(b), "\x00")
	if strings.Contains(text, "\x00") {
		return "", syscall.EBADMSG
	}
	return text, nil
}
