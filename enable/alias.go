package enable

import (
	"errors"
	"path"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/unit"
)

// maxHops bounds how many links are followed from one unit to the next.
const maxHops = 64

// errSelf says that an alias has the unit's own name; nobody needs to hear of it.
var errSelf = errors.New("alias of itself")

// traverse finds u and follows it through links and aliases to the unit that
// stands behind it. An instance name is carried along. With followConfig
// unset, a link in a directory that enable writes to ends it with ELOOP.
func (j *job) traverse(u *unitFile, install, followConfig bool) (*unitFile, error) {
	if err := j.search(u, install); err != nil {
		return nil, err
	}
	for hops := 0; u.mode == alias || u.mode == linked; hops++ {
		if hops == maxHops {
			return nil, syscall.ELOOP
		}
		if !followConfig && j.ix.path.isConfig(path.Dir(u.path)) {
			return nil, syscall.ELOOP
		}
		base := path.Base(u.target)
		if u.mode == linked || base == u.name {
			if err := j.step(u, install); err != nil {
				return nil, err
			}
			continue
		}
		if unit.KindOf(u.name) == unit.Instance && unit.KindOf(base) == unit.Template {
			instance, err := unit.WithInstance(base, unit.InstanceOf(u.name))
			if err != nil {
				return nil, syscall.EINVAL
			}
			if instance == u.name {
				if err := j.step(u, install); err != nil {
					return nil, err
				}
				continue
			}
			base = instance
		}
		next, err := j.add(base, "", false)
		if err != nil {
			return nil, err
		}
		if err := j.search(next, install); err != nil {
			if sys.Errno(err) == syscall.ENOENT {
				return nil, syscall.ENOLINK
			}
			return nil, err
		}
		u = next
	}
	return u, nil
}

// step continues with the file that u is a link to, under u's own name.
func (j *job) step(u *unitFile, install bool) error {
	u.path, u.mode = u.target, unknown
	return j.loadOrFollow(u, j.ix.dir(path.Dir(u.path)), path.Base(u.path), install)
}

// discover adds and traverses what the user named.
func (j *job) discover(arg string, install, followConfig bool) (*unitFile, error) {
	u, err := j.addArgument(arg)
	if err != nil {
		return nil, err
	}
	return j.traverse(u, install, followConfig)
}

// checkAliasLink tells whether a link called name, found in a unit directory,
// may lead to a unit called target: EINVAL when units of its type have no
// aliases, EXDEV when the two names do not go together.
func (j *job) checkAliasLink(name, target string) error {
	switch why := aliasLink(name, target); why {
	case aliasFits:
		return nil
	case aliasSelf:
		return errSelf
	case aliasNoType:
		j.note(5, "%s: symlinks are not allowed for units of this type, rejecting.", name)
		return syscall.EINVAL
	case aliasBadTarget:
		j.note(5, "%s points to \"%s\" which is not a valid unit name: %s", name, target, sys.Strerror(syscall.EXDEV))
	case aliasKind:
		j.note(5, "%s: symlink target name type \"%s\" does not match source, rejecting.", name, target)
	case aliasInstance:
		j.note(5, "%s: unit symlink target \"%s\" instance name doesn't match, rejecting.", name, target)
	case aliasSuffix:
		j.note(5, "%s: symlink target \"%s\" has incompatible suffix, rejecting.", name, target)
	}
	return syscall.EXDEV
}

type aliasVerdict int

const (
	aliasFits aliasVerdict = iota
	aliasSelf
	aliasBadName
	aliasBadTarget
	aliasNoType
	aliasKind
	aliasInstance
	aliasSuffix
)

// aliasLink compares the name of a link with the name of the unit behind it:
// both of one type that may have aliases, and both plain, both templates, both
// the same instance, or an instance of a template.
func aliasLink(name, target string) aliasVerdict {
	nk, tk := unit.KindOf(name), unit.KindOf(target)
	switch {
	case nk == 0:
		return aliasBadName
	case !unit.Aliasable(unit.Type(name)):
		return aliasNoType
	case tk == 0:
		return aliasBadTarget
	case name == target:
		return aliasSelf
	case nk == tk && nk == unit.Instance:
		if unit.InstanceOf(name) != unit.InstanceOf(target) {
			return aliasInstance
		}
	case nk == unit.Instance && tk == unit.Template, nk == tk:
	default:
		return aliasKind
	}
	if unit.Type(name) != unit.Type(target) {
		return aliasSuffix
	}
	return aliasFits
}

// A refusal is an alias that may not be made, in the words of a Change.
type refusal struct {
	errno        syscall.Errno
	path, source string
}

func (r *refusal) Error() string { return r.errno.Error() }
func (r *refusal) Unwrap() error { return r.errno }

// checkAlias tells whether the unit called name may have Alias=dst, and returns
// the alias to make: dst, or the instance of it that follows from name. The old
// form X.wants/NAME is accepted too. errSelf asks for nothing.
func checkAlias(name, dst string) (string, error) {
	if strings.Contains(dst, "/") {
		dir, link, err := parentAndName(dst)
		if err != nil {
			return "", err
		}
		target, ok := strings.CutSuffix(dir, ".wants")
		if !ok {
			target, ok = strings.CutSuffix(dir, ".requires")
		}
		kind := unit.KindOf(target)
		if !ok || kind == 0 {
			return "", &refusal{syscall.EXDEV, dst, ""}
		}
		if !dependencyLinkFits(link, name, kind == unit.Template) {
			return "", &refusal{syscall.EXDEV, dst, name}
		}
		return dst, nil
	}
	made := dst
	if unit.KindOf(dst) == unit.Template {
		switch unit.KindOf(name) {
		case 0:
			return "", &refusal{syscall.EUCLEAN, name, ""}
		case unit.Instance:
			i, err := unit.WithInstance(dst, unit.InstanceOf(name))
			if err != nil {
				return "", err
			}
			made = i
		}
	}
	switch aliasLink(made, name) {
	case aliasFits:
		return made, nil
	case aliasSelf:
		return "", errSelf
	}
	return "", &refusal{syscall.EXDEV, made, name}
}

// dependencyLinkFits tells whether a link called link in some .wants directory may
// lead to the unit called name: the names are equal, or name is a template and
// link an instance of it. With propagate (the directory belongs to a template) a template's own name will do.
func dependencyLinkFits(link, name string, propagate bool) bool {
	switch {
	case link == name && (propagate || unit.KindOf(name) != unit.Template):
		return unit.Valid(link, unit.Any)
	case unit.KindOf(name) == unit.Template && unit.KindOf(link) == unit.Instance:
		return unit.TemplateOf(link) == name
	}
	return false
}

// parentAndName takes an alias with a slash apart. EDESTADDRREQ: there is nothing
// before the name but "." and slashes.
func parentAndName(p string) (dir, name string, err error) {
	name = p[strings.LastIndexByte(p, '/')+1:]
	rest := strings.TrimRight(p, "/")
	dir = strings.TrimRight(rest[:strings.LastIndexByte(rest, '/')+1], "/")
	switch {
	case dir == "" && strings.HasPrefix(p, "/"):
		return "/", name, nil
	case strings.Trim(dir, "./") == "" && !strings.Contains(dir, ".."):
		return "", "", syscall.EDESTADDRREQ
	}
	return dir, name, nil
}
