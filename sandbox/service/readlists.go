package service

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/unit"
	"ctl/sandbox/image"
)

// Readers of lists: paths, directories, variables.

func (l *line) environment() {
	if l.value == "" {
		l.exec.Environment = nil
		return
	}
	words, err := unit.CWords(l.value)
	for _, w := range words {
		switch s, ok := l.expandIn("specifiers in ", w, ""); {
		case !ok:
		case !variable(s):
			l.warn("Invalid environment assignment, ignoring: " + s)
		default:
			setVariable(&l.exec.Environment, s)
		}
	}
	if err != nil {
		l.invalidSyntax()
	}
}

func (l *line) invalidSyntax() { l.warn("Invalid syntax, ignoring: " + l.value) }

// setVariable sets NAME=VALUE in a list that has each name once.
func setVariable(env *[]string, s string) {
	name, _, _ := strings.Cut(s, "=")
	for i, have := range *env {
		if strings.HasPrefix(have, name+"=") {
			(*env)[i] = s
			return
		}
	}
	*env = append(*env, s)
}

// variable tells whether s is NAME=VALUE.
func variable(s string) bool {
	name, value, ok := strings.Cut(s, "=")
	if !ok || !VariableName(name) || !cleanUTF8(value) {
		return false
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return true
}

// VariableName tells whether s can be the name of an environment variable.
func VariableName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func (l *line) environmentFile() {
	if l.value == "" {
		l.exec.EnvironmentFiles = nil
		return
	}
	v, err := l.specified(l.value)
	if err != nil {
		l.unresolved(l.value, err, false)
		return
	}
	p, optional := strings.CutPrefix(v, "-")
	if p, ok := l.absolute(p, false); ok {
		l.exec.EnvironmentFiles = append(l.exec.EnvironmentFiles, Optional{p, optional})
	}
}

func (l *line) passEnvironment() {
	if l.value == "" {
		l.exec.PassEnvironment = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		s, ok := l.expandIn("specifiers in ", w, "")
		switch {
		case !ok:
		case !VariableName(s):
			l.warn("Invalid environment name for PassEnvironment, ignoring: " + s)
		default:
			l.exec.PassEnvironment = append(l.exec.PassEnvironment, strings.Clone(s))
		}
	}
	if err != nil {
		l.warn("Trailing garbage in PassEnvironment, ignoring: " + l.value)
	}
}

func (l *line) unsetEnvironment() {
	if l.value == "" {
		l.exec.UnsetEnvironment = nil
		return
	}
	words, err := unit.CWords(l.value)
	for _, w := range words {
		if s, ok := l.expandBare(w); !ok {
			continue
		} else if !variable(s) && !VariableName(s) {
			l.warn("Invalid environment name or assignment UnsetEnvironment, ignoring: " + s)
		} else {
			l.exec.UnsetEnvironment = append(l.exec.UnsetEnvironment, s)
		}
	}
	if err != nil {
		l.warn("Trailing garbage in UnsetEnvironment, ignoring: " + l.value)
	}
}

func (l *line) searchPath() {
	if l.value == "" {
		l.exec.SearchPath = nil
		return
	}
	for w := range strings.SplitSeq(l.value, ":") {
		if w == "" {
			continue
		}
		if s, ok := l.expand(w); ok {
			if s, ok := l.absolute(s, false); ok {
				l.exec.SearchPath = append(l.exec.SearchPath, s)
			}
		}
	}
}

// pathEntries reads ReadOnlyPaths= and its kin.
func (l *line) pathEntries(p *[]PathEntry) {
	if l.value == "" {
		*p = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		s, errS := l.specified(w)
		if errS != nil {
			l.warn("Failed to resolve unit specifiers in " + w + ": " + strerror(errS))
			continue
		}
		var e PathEntry
		s, e.Optional = strings.CutPrefix(s, "-")
		s, e.InRoot = strings.CutPrefix(s, "+")
		if s, ok := l.absolute(s, false); ok {
			e.Path = s
			*p = append(*p, e)
		}
	}
	if err != nil {
		l.warn("Failed to extract first word, ignoring: " + l.value)
	}
}

// paths reads a list of paths that keep what is before and behind them.
func (l *line) paths(p *[]Optional) {
	if l.value == "" {
		*p = nil
		return
	}
	words, errWords := unit.Words(l.value, unit.Unquote)
	if errWords != nil {
		defer l.warn("Failed to extract first word, ignoring: " + l.value)
	}
	for _, w := range words {
		s, err := l.specified(w)
		if err != nil {
			l.warn("Failed to resolve unit specifiers in " + w + ": " + strerror(err))
			continue
		}
		s, optional := strings.CutPrefix(s, "-")
		s, _ = strings.CutPrefix(s, "+")
		if s, ok := l.absolute(s, false); ok {
			*p = append(*p, Optional{s, optional})
		}
	}
}

// images reads lists of images: each a word of its own, as it is written.
func (l *line) images(p *[]Image) {
	if l.value == "" {
		*p = nil
		return
	}
	words, err := unit.CWords(l.value)
	if err != nil {
		l.warn("Invalid syntax " + l.key + "=" + l.value + ", ignoring: " + strerror(err))
		return
	}
	for _, w := range words {
		source, rest, _ := strings.Cut(w, ":")
		s, ok := l.expandIn("unit specifiers in \"", source, "\"")
		if !ok {
			continue
		}
		s, optional := strings.CutPrefix(s, "-")
		if s, ok = l.absolute(s, false); !ok {
			continue
		}
		m := Image{Source: s, Optional: optional}
		parts := colons(rest)
		if l.key == "MountImages" {
			if parts[0] == "" {
				l.warn("Missing destination in MountImages, ignoring: " + l.value)
				continue
			} else if !path.IsAbs(parts[0]) {
				l.warn("MountImages= path is not absolute, ignoring: " + parts[0])
				continue
			}
			m.Target, parts = simplified(parts[0]), parts[1:]
		}
		for len(parts) > 0 { // one word is for the root partition; otherwise each partition is named
			partition, options := "root", parts[0]
			if len(parts) > 1 {
				partition, options, parts = parts[0], parts[1], parts[1:]
			}
			parts = parts[1:]
			if options != "" {
				m.Options = append(m.Options, [2]string{partition, options})
			}
		}
		*p = append(*p, m)
	}
}

// imagePolicy reads which partitions images may have.
func (l *line) imagePolicy(p *string) {
	if l.value != "" {
		if _, err := image.ParsePolicy(l.value); err != nil {
			l.abort("Failed to parse image policy, refusing: "+l.value, syscall.EINVAL)
			return
		}
	}
	*p = l.value
}

func (l *line) binds(readOnly bool) {
	if l.value == "" {
		l.exec.Binds = nil
		return
	}
	words, err := unit.CWords(l.value)
	for _, w := range words {
		if b, ok := l.bind(w); ok {
			b.ReadOnly = readOnly
			l.exec.Binds = append(l.exec.Binds, b)
		}
	}
	if err != nil {
		l.warn("Failed to parse " + l.key + ", ignoring: " + l.value)
	}
}

func (l *line) bind(w string) (b Bind, ok bool) {
	parts := colons(w)
	if len(parts) > 3 {
		l.warn("Too many parameters in " + l.key + "=, ignoring: " + w)
		return b, false
	}
	source, ok := l.expandIn("unit specifiers in \"", parts[0], "\"")
	if !ok {
		return b, false
	}
	source, b.Optional = strings.CutPrefix(source, "-")
	if b.Source, ok = l.absolute(source, false); !ok {
		return b, false
	}
	b.Target = b.Source
	if len(parts) > 1 {
		target, ok := l.expandIn("unit specifiers in \"", parts[1], "\"")
		if !ok {
			return b, false
		}
		if b.Target, ok = l.absolute(target, false); !ok {
			return b, false
		}
	}
	if len(parts) > 2 {
		switch parts[2] {
		case "", "rbind":
		case "norbind":
			b.Shallow = true
		default:
			l.warn("Invalid option string, ignoring setting: " + parts[2])
			return b, false
		}
	}
	return b, true
}

// colons splits at colons that no backslash stands before.
func colons(s string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == ':':
			i++
			b.WriteByte(':')
		case s[i] == ':':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(parts, b.String())
}

func (l *line) temporary() {
	if l.value == "" {
		l.exec.TemporaryFileSystems = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		p, options, _ := strings.Cut(w, ":")
		s, ok := l.expandBare(p)
		if !ok {
			continue
		}
		if s, ok = l.absolute(s, false); !ok {
			continue
		}
		if options, ok = l.expandBare(options); !ok {
			continue
		}
		l.exec.TemporaryFileSystems = append(l.exec.TemporaryFileSystems, Temporary{s, options})
	}
	if err != nil {
		l.warn("Failed to extract first word, ignoring: " + l.value)
	}
}

func (l *line) rootOptions() {
	if l.value == "" {
		l.exec.RootOptions = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		parts := colons(w)
		partition, options := "root", parts[0]
		switch {
		case len(parts) > 2:
			l.warn("Failed to parse RootImageOptions, ignoring: " + l.value)
			return
		case len(parts) == 2:
			partition, options = parts[0], parts[1]
		}
		if !slices.Contains(partitions[:], partition) {
			l.warn("Invalid partition name " + partition + ", ignoring")
			continue
		}
		if s, ok := l.expandBare(options); ok {
			l.exec.RootOptions = append(l.exec.RootOptions, [2]string{partition, s})
		}
	}
	if err != nil {
		l.warn("Failed to parse RootImageOptions, ignoring: " + l.value)
	}
}

// partitions are what an image may consist of.
var partitions = [...]string{"root", "usr", "home", "srv", "esp", "xbootldr", "swap", "root-verity", "usr-verity", "root-verity-sig",
	"usr-verity-sig", "tmp", "var"}

// directories reads RuntimeDirectory= and its kin.
func (l *line) directories(kind DirectoryKind) {
	d := &l.exec.Directories[kind]
	if l.value == "" {
		d.List = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	for _, w := range words {
		l.directory(kind, d, w)
	}
	if err != nil {
		l.warn("Invalid syntax " + l.key + "=" + l.value + ", ignoring: " + strerror(err))
	}
}

// escapedColons are the parts of s between colons, with escapes of C in them, and of colons.
func escapedColons(s string) []string {
	const colon = "\\072"
	parts := strings.Split(strings.ReplaceAll(s, `\:`, colon), ":")
	for i := range parts {
		if text, err := unit.UnescapeC(parts[i]); err == nil {
			parts[i] = text
		}
	}
	return parts
}

func (l *line) directory(kind DirectoryKind, d *Directory, w string) {
	parts := escapedColons(w)
	if parts[0] == "" {
		l.warn("Invalid syntax, ignoring: " + l.value)
		return
	}
	relative := func(s string) (string, bool) {
		s, err := l.specified(s)
		switch {
		case err != nil:
			l.warn("Failed to resolve unit specifiers in \"" + w + "\", ignoring: " + strerror(err))
			return "", false
		case path.IsAbs(s):
			l.warn(l.key + "= path is absolute, ignoring: " + s)
			return "", false
		}
		if s = strings.TrimPrefix(simplified(s), "/"); s == "" {
			s = "."
		}
		switch {
		case !normalized(s) || s == ".":
			l.warn(l.key + "= path is not normalized, ignoring: " + s)
			return "", false
		case s == "private" || strings.HasPrefix(s, "private/"):
			l.warn(l.key + "= path can't be 'private', ignoring assignment: " + w)
			return "", false
		}
		return s, true
	}
	p, ok := relative(parts[0])
	if !ok {
		return
	}
	m := ManagedDirectory{Path: p}
	if len(parts) > 1 && (kind == ConfigurationDirectory) {
		l.warn("Additional parameter is not supported for " + l.key + ", ignoring: " + w)
		return
	}
	if len(parts) > 1 && parts[1] != "" {
		link, ok := relative(parts[1])
		if !ok {
			return
		}
		m.Links = []string{link}
	}
	if len(parts) > 2 {
		switch flags := strings.Join(parts[2:], ":"); parts[2] {
		case "":
		case "ro":
			m.ReadOnly = true
		default:
			_ = flags
			l.warn("Invalid flags for " + l.key + "=, ignoring: " + parts[2])
			return
		}
	}
	for i := range d.List {
		if have := &d.List[i]; have.Path == m.Path {
			for _, link := range m.Links {
				if !slices.Contains(have.Links, link) {
					have.Links = append(have.Links, link)
				}
			}
			return
		}
	}
	d.List = append(d.List, m)
}

func (l *line) openFile() {
	if l.value == "" {
		l.service.OpenFiles = nil
		return
	}
	wrong := func() { l.warn("Failed to parse OpenFile= setting, ignoring: " + l.value) }
	parts := colons(l.value)
	if len(parts) > 3 {
		wrong()
		return
	}
	f := OpenFile{Path: parts[0]}
	if !path.IsAbs(f.Path) || !normalized(f.Path) {
		wrong()
		return
	}
	f.Name = path.Base(f.Path)
	if len(parts) > 1 && parts[1] != "" {
		f.Name = parts[1]
	}
	if !validFDName(f.Name) {
		wrong()
		return
	}
	if len(parts) > 2 && parts[2] != "" {
		for w := range strings.SplitSeq(parts[2], ",") {
			flag, ok := map[string]*bool{"read-only": &f.ReadOnly, "append": &f.Append, "truncate": &f.Truncate, "graceful": &f.Graceful}[w]
			if !ok {
				wrong()
				return
			}
			*flag = true
		}
	}
	if f.ReadOnly && (f.Append || f.Truncate) || f.Append && f.Truncate {
		wrong()
		return
	}
	l.service.OpenFiles = append(l.service.OpenFiles, f)
}
