package control

import (
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A bootEntry is a kernel that a boot loader offers, as the UAPI Group's Boot Loader Specification writes it: a file of settings (type 1), or a
// program for EFI that has a kernel in it (type 2).
type bootEntry struct {
	id                        string // the file's name without its count of tries
	spent                     bool   // it has been tried as often as it may be
	version, machine, sortKey string
	root                      string // of the file system that it is on, which its paths begin at
	linux                     string
	options, initrds          []string
	profile                   int // of several in one program
}

// A bootConfig is what boot loaders find on a machine's partitions for them.
type bootConfig struct {
	entries            []bootEntry
	preferred, pattern string // of the entries that are taken rather, from loader.conf
	seen               map[sys.Inode]bool
	warn               func(string)
}

// bootConfig reads what there is for boot loaders. ENOKEY: there are no such partitions.
func (c *Call) bootConfig() (*bootConfig, error) {
	b := &bootConfig{seen: map[sys.Inode]bool{}, warn: func(text string) { c.Log(term.Warning, text) }}
	// Boot loaders other than those of EFI leave it here.
	const handedOver = "/run/boot-loader-entries/"
	roots := []string{handedOver}
	if _, err := os.Stat(handedOver); err != nil {
		if roots, err = c.bootPartitions(); err != nil {
			return nil, err
		}
	}
	if err := b.readConf(roots[0]); err != nil {
		return nil, err
	}
	for _, root := range roots {
		err := b.eachFile(root, "/loader/entries", ".conf", b.readEntry)
		if err == nil {
			err = b.eachFile(root, "/EFI/Linux/", ".efi", b.readProgram)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(b.entries, compareEntries)
	return b, nil
}

// defaultEntry is the entry that a boot loader would take.
func (c *Call) defaultEntry(b *bootConfig) (bootEntry, error) {
	if len(b.entries) == 0 {
		return bootEntry{}, cli.Usage("No boot loader entry suitable as default, refusing to guess.")
	}
	for _, pattern := range [...]string{c.loaderVariable("LoaderEntryOneShot"), c.loaderVariable("LoaderEntryPreferred"),
		c.loaderVariable("LoaderEntryDefault"), b.preferred, b.pattern} {
		if strings.EqualFold(pattern, "@saved") {
			pattern = c.loaderVariable("LoaderEntrySelected")
		}
		if pattern == "" || pattern[0] == '@' {
			continue
		}
		i := slices.IndexFunc(b.entries, func(e bootEntry) bool {
			return unit.Fnmatch(strings.ToLower(pattern), strings.ToLower(e.id))
		})
		if i >= 0 {
			return b.entries[i], nil
		}
	}
	return b.entries[0], nil
}

// eachFile hands the files of a directory below root whose names end so, in letters of either case, to f, but none twice. No link counts.
func (b *bootConfig) eachFile(root, dir, suffix string, f func(*os.File, string, string)) error {
	d, err := sys.OpenBelow(root, dir)
	if err == syscall.ENOENT {
		return nil
	}
	var names []os.DirEntry
	if err == nil {
		defer d.Close()
		names, err = d.ReadDir(-1)
	}
	if err != nil {
		return Failure{"open '" + below(root, dir) + "'", err}
	}
	slices.SortFunc(names, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, n := range names {
		at := len(n.Name()) - len(suffix)
		if n.Name()[0] == '.' || n.Type()&^fs.ModeSymlink != 0 || at < 0 || !strings.EqualFold(n.Name()[at:], suffix) {
			continue
		}
		shown := strings.TrimSuffix(below(root, dir), "/") + "/" + n.Name()
		file, err := sys.OpenBelow(root, dir+"/"+n.Name())
		if err != nil {
			b.warn("Failed to open " + shown + ", ignoring: " + strerror(err))
			continue
		}
		if b.unseen(file) {
			f(file, root, shown)
		}
		file.Close()
	}
	return nil
}

// unseen tells whether a file is one, and has not been read under another name.
func (b *bootConfig) unseen(f *os.File) bool {
	i, err := f.Stat()
	if err != nil || !i.Mode().IsRegular() || b.seen[sys.InodeOf(i)] {
		return false
	}
	b.seen[sys.InodeOf(i)] = true
	return true
}

// below is a path as the root directory's of a partition.
func below(root, p string) string { return strings.TrimSuffix(root, "/") + p }

// readConf reads the settings of the boot loader that matter here.
func (b *bootConfig) readConf(root string) error {
	const name = "/loader/loader.conf"
	f, err := sys.OpenBelow(root, name)
	switch {
	case err == syscall.ENOENT:
		return nil
	case err != nil:
		return Failure{"open '" + below(root, name) + "'", err}
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return cli.Usage(below(root, name) + ":1: Error while reading: " + strerror(err))
	}
	return b.eachLine(data, below(root, name), func(_ int, key, value string) (known bool, _ error) {
		switch key {
		case "default":
			b.pattern = value
		case "preferred":
			b.preferred = value
		case "timeout", "editor", "auto-entries", "auto-firmware", "auto-poweroff", "auto-reboot", "beep", "console-mode", "log-level",
			"reboot-for-bitlocker", "reboot-on-error", "secure-boot-enroll", "secure-boot-enroll-action", "secure-boot-enroll-timeout-sec":
		default:
			return false, nil
		}
		return true, nil
	})
}

// eachLine hands the settings of a file to f. An error of f, which is said, ends it.
func (b *bootConfig) eachLine(data []byte, file string, f func(line int, key, value string) (known bool, err error)) error {
	number := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(string(data), "\x00", "\n"), "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		at := file + ":" + strconv.Itoa(number) + ": "
		key, value := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			key, value = line[:i], strings.TrimLeft(line[i:], " \t")
		}
		if value == "" {
			if key != "options" && key != "devicetree-overlay" {
				b.warn(at + "Field '" + key + "' without value, ignoring line.")
			}
			continue
		}
		known, err := f(number, key, value)
		if err != nil {
			return cli.Usage(at + "Error while parsing: " + strerror(err))
		}
		if !known {
			b.warn(at + "Unknown line '" + key + "', ignoring.")
		}
	}
	return nil
}

// readEntry reads an entry of type 1.
func (b *bootConfig) readEntry(f *os.File, root, file string) {
	e, ok := b.named(file)
	if !ok {
		return
	}
	e.root = root
	data, err := io.ReadAll(f)
	if err != nil {
		b.warn(file + ":1: Error while reading: " + strerror(err))
		return
	}
	err = b.eachLine(data, file, func(line int, key, value string) (known bool, _ error) {
		at := file + ":" + strconv.Itoa(line) + ": "
		switch key {
		case "version":
			if !isVersion(value) {
				b.warn(at + "Version string '" + value + "' is not a valid version, accepting anyway.")
			}
			e.version = value
		case "machine-id":
			e.machine = value
		case "sort-key":
			e.sortKey = value
		case "options":
			e.options = append(e.options, value)
		case "linux":
			if p := b.entryPath(at, key, value); p != "" {
				e.linux = p
			}
		case "initrd":
			if p := b.entryPath(at, key, value); p != "" {
				e.initrds = append(e.initrds, p)
			}
		case "efi", "uki", "devicetree", "extra":
			b.entryPath(at, key, value)
		case "devicetree-overlay":
			for p := range strings.FieldsSeq(value) {
				b.entryPath(at, key, p)
			}
		case "profile":
			return true, isNumber(value)
		case "title", "architecture", "uki-url":
		default:
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		b.warn(err.Error())
		return
	}
	b.entries = append(b.entries, e)
}

// named is an entry with the name of a file, of which it is told if it is no good one.
func (b *bootConfig) named(file string) (bootEntry, bool) {
	name := base(file)
	id, spent, err := withoutTries(name)
	if err != nil {
		b.warn("Failed to extract tries counters from '" + name + "': " + strerror(err))
		return bootEntry{}, false
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+-_.@", r)
	}
	if strings.ContainsFunc(id, odd) {
		b.warn("Invalid loader entry name: " + name)
		return bootEntry{}, false
	}
	return bootEntry{id: id, spent: spent}, true
}

// withoutTries takes the count of tries off a file's name, "+LEFT" or "+LEFT-DONE" before the suffix.
func withoutTries(name string) (id string, spent bool, err error) {
	dot := strings.LastIndexByte(name, '.')
	plus := strings.LastIndexByte(name[:dot], '+')
	if plus < 0 {
		return name, false, nil
	}
	left, done, both := strings.Cut(name[plus+1:dot], "-")
	for _, count := range [...]string{left, done} {
		if count == "" && (count == left || both) || strings.Trim(count, "0123456789") != "" {
			return name, false, nil
		}
		if _, err := strconv.ParseInt(count, 10, 32); count != "" && err != nil {
			return "", false, syscall.ERANGE
		}
	}
	return name[:plus] + name[dot:], strings.Trim(left, "0") == "", nil
}

// entryPath is a path in an entry from the root of its partition on, "" for one that is passed over.
func (b *bootConfig) entryPath(at, key, value string) string {
	p := "/" + strings.TrimLeft(value, "/")
	if strings.HasSuffix(p, "/") {
		b.warn(at + "Path in field '" + key + "' has trailing slash, ignoring: " + p)
		return ""
	}
	var parts []string
	for part := range strings.SplitSeq(p, "/") {
		if part != "" && part != "." && (part != ".." || len(parts) > 0) {
			parts = append(parts, part)
		}
	}
	p = "/" + strings.Join(parts, "/")
	if slices.Contains(parts, "..") {
		b.warn(at + "Path in field '" + key + "' is not normalized, ignoring: " + p)
		return ""
	}
	return p
}

// isNumber is the error of what is no number of 32 bits.
func isNumber(s string) error {
	if digits := strings.TrimPrefix(s, "-"); strings.Trim(digits, "0123456789") != "" || digits == "" {
		return syscall.EINVAL
	}
	if _, err := strconv.ParseUint(s, 10, 32); err != nil {
		return syscall.ERANGE
	}
	return nil
}

func isVersion(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-+_.~^", r)
	})
}

// readProgram reads an entry of type 2, or several if it has profiles.
func (b *bootConfig) readProgram(f *os.File, root, file string) {
	p, err := openProgram(f)
	switch {
	case err != nil:
		b.warn("Failed to parse PE file '" + file + "': " + strerror(err))
		return
	case !p.kernel:
		b.warn("Parsed PE file '" + file + "' is not a UKI.")
		return
	case p.foreign:
		return
	}
	named, ok := b.named(file)
	if !ok {
		return
	}
	for profile := range max(1, len(p.profiles)) {
		e := named
		e.root, e.profile = root, profile
		e.linux = strings.TrimPrefix(file, strings.TrimSuffix(root, "/"))
		var text [3]string
		for i, name := range [...]string{".osrel", ".cmdline", ".profile"} {
			if text[i], err = p.text(profile, name); err != nil {
				b.warn("Failed to load contents of section '" + name + "': " + strerror(err))
				return
			}
		}
		release := func(names ...string) string {
			for _, n := range names {
				if v := unit.EnvFile([]byte(text[0]), n); v != "" {
					return v
				}
			}
			return ""
		}
		if release("PRETTY_NAME", "IMAGE_ID", "NAME", "ID") == "" {
			b.warn("Failed to extract name/version/sort-key from os-release data from unified kernel image " + file + ", refusing: " + strerror(syscall.EBADMSG))
			return
		}
		e.sortKey, e.version = release("IMAGE_ID", "ID"), release("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
		e.options = []string{strings.TrimSpace(text[1])}
		if id := unit.EnvFile([]byte(text[2]), "ID"); id != "" {
			e.id += "@" + id
		} else if profile > 0 {
			e.id += "@" + strconv.Itoa(profile)
		}
		b.entries = append(b.entries, e)
	}
}

// compareEntries sorts the entry first that is to be taken rather.
func compareEntries(a, b bootEntry) int {
	switch {
	case a.spent != b.spent:
		return order(b.spent, a.spent)
	case (a.sortKey == "") != (b.sortKey == ""):
		return order(a.sortKey != "", b.sortKey != "")
	}
	if a.sortKey != "" {
		for _, n := range [...]int{strings.Compare(a.sortKey, b.sortKey), strings.Compare(a.machine, b.machine), -unit.CompareVersions(a.version, b.version)} {
			if n != 0 {
				return n
			}
		}
	}
	fileA, _, _ := strings.Cut(a.id, ".efi@")
	fileB, _, _ := strings.Cut(b.id, ".efi@")
	if n := -unit.CompareVersions(fileA, fileB); n != 0 {
		return n
	}
	return a.profile - b.profile
}

// order sorts what is first.
func order(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}
