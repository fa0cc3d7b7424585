package difftest

import (
	"fmt"
	"io/fs"
	"strings"
)

// unit is a name. Stems and suffixes are few, so that names meet.
func (g *generator) unit() string {
	stem := pick(g, "a", "b", "c", "d", "e-f", "x")
	if g.chance(25) {
		stem += pick(g, "@", "@", "@i", "@j-k", "@i")
	}
	return stem + pick(g, ".service", ".service", ".service", ".socket", ".target", ".timer", ".path", ".service", ".mount", ".slice")
}

func (g *generator) target() string {
	if g.scope != "" && g.chance(5) {
		return "u.target" // not %u: 27
	}
	return pick(g, "multi-user.target", "t.target", "t@.target", "t@i.target", "c.service", "gone.target", "%i.target", "%p.target", "d.slice",
		"bad name", "%z.target", "x%j.target", "t@%i.target", "multi-user.target", "multi-user.target", "%m.target", "%o-%w.target", "%n", "%N.target", "x%%.target", "a\\x2db.target", "%")
}

// install is a unit file with some [Install] section.
func (g *generator) install() string {
	var b strings.Builder
	b.WriteString("[Unit]\nDescription=x\n")
	if g.chance(15) {
		return b.String()
	}
	b.WriteString("[Install]\n")
	for range g.IntN(4) {
		switch g.IntN(9) {
		case 0, 1, 2:
			fmt.Fprintf(&b, "WantedBy=%s\n", g.words(g.target))
		case 3:
			fmt.Fprintf(&b, "RequiredBy=%s\n", g.words(g.target))
		case 4:
			fmt.Fprintf(&b, "UpheldBy=%s\n", g.words(g.target))
		case 5:
			fmt.Fprintf(&b, "Alias=%s\n", g.words(g.alias))
		case 6:
			fmt.Fprintf(&b, "Also=%s\n", g.words(g.also))
		case 7:
			fmt.Fprintf(&b, "DefaultInstance=%s\n", pick(g, "i", "q", "%p", "", "i", "a/b", "%m", "ä", "a b"))
		case 8:
			b.WriteString(pick(g, "WantedBy=\n", "Alias=\n", "Foo=bar\n", "junk\n", "X-Foo=1\n", "# c\n", "[Foo]\n", "[X-Y]\nA=b\n", "=x\n",
				"RequiredBy=\n", "WantedBy=\"q\n", "Also=\n", "[Install]\n", " WantedBy = t.target \\\n  c.service\n", "; c\n", "wantedby=t.target\n",
				"WantedBy='t.target' \"c.service\"\n", "\xff\n", "[Install\n", "UpheldBy=\n", "DefaultInstance\n"))
		}
	}
	return b.String()
}

func (g *generator) words(word func() string) string {
	l := []string{word()}
	for g.chance(25) {
		l = append(l, word())
	}
	return strings.Join(l, " ")
}

func (g *generator) also() string {
	if g.chance(10) {
		return pick(g, "%p.socket", "%z.service", "no", "a\\x2db.service", "e-f.%i.service", "x@%i.service", "'a.service'")
	}
	return g.unit()
}

func (g *generator) alias() string {
	return pick(g, g.unit(), g.unit(), "al.service", "al2.service", "al@.service", "al.socket", "t.target.wants/"+g.unit(), "../x.service", "%p-x.service",
		"u.target.requires/a.service", "a/b", "al@i.service", "t@.target.wants/"+g.unit(), "default.target", "%z.service")
}

// anywhere is a directory that units are found in.
func (g *generator) anywhere() string {
	if g.scope != "" {
		return pick(g, g.etc, g.run, g.usr, "/usr/local/lib/systemd/user/", "/usr/share/systemd/user/", "/etc/systemd/user/")
	}
	return pick(g, g.etc, g.run, g.usr, "/usr/local/lib/systemd/system/", "/etc/systemd/system.attached/", "/etc/systemd/system.control/", "/run/systemd/system.control/")
}

func (g *generator) tree() {
	g.s.file(g.usr+"multi-user.target", "[Unit]\n")
	if g.chance(50) {
		g.s.file(g.usr+"t.target", "[Unit]\n")
	}
	if g.chance(30) {
		g.s.file(g.usr+"t@.target", "[Unit]\n")
	}
	if g.chance(40) {
		g.s.link(g.usr+"default.target", "multi-user.target")
	}
	if g.chance(20) {
		g.s.file("/etc/machine-id", pick(g, "0123456789abcdef0123456789abcdef\n", "", "uninitialized\n", "x\n"))
	}
	if g.chance(20) {
		g.s.file(pick(g, "/etc/os-release", "/usr/lib/os-release"), pick(g, "ID=foo\nVERSION_ID=\"1.2\"\n", "ID='a b'\n", "", "junk\n"))
	}
	for range 2 + g.IntN(6) {
		dir := g.usr
		if g.chance(45) {
			dir = pick(g, g.anywhere(), g.etc, "/opt/")
		}
		g.s.file(dir+g.unit(), g.install())
	}
	if g.chance(12) && g.scope == "" {
		g.generated = true
		g.s.file(pick(g, "/run/systemd/generator/", "/run/systemd/transient/", "/run/systemd/generator.late/")+g.unit(), "[Install]\nWantedBy=multi-user.target\n")
	}
	for range g.IntN(4) {
		g.oddity()
	}
	if g.chance(20) {
		g.dropIns = true
		for range 1 + g.IntN(2) {
			d := g.anywhere() + pick(g, g.unit(), g.unit(), g.unit(), "e-", "service") + ".d/" + pick(g, "10-a.conf", "20-b.conf", "x.txt", ".h.conf", "z.conf~")
			if g.chance(80) {
				g.s.file(d, g.install())
			} else if g.st.chrooted { // not dangling: 7
				g.s.file("/opt/drop-in", g.install())
				g.s.link(d, "/opt/drop-in")
			}
		}
	}
	for range g.IntN(3) {
		g.presetFile()
	}
	if g.chance(2) {
		g.s.file("/etc/initrd-release", "ID=x\n")
		g.s.file("/usr/lib/systemd/initrd-preset/1.preset", "enable a.service\ndisable *\n")
	}
	if g.chance(3) { // SysV, which 262 knows no more
		g.s.file("/etc/init.d/a", "#!/bin/sh\n")
		g.s.link("/etc/rc2.d/S01a", "../init.d/a")
	}
	if g.chance(3) { // split /usr: 25
		g.s.link("/lib", "usr/lib")
	}
	if g.chance(4) && g.scope == "" {
		g.s.env = append(g.s.env, "SYSTEMD_UNIT_PATH="+pick(g, "/etc/systemd/system:/run/systemd/system:/opt", "/usr/lib/systemd/system/sub:", "/opt:", "/opt", "/opt:/usr/lib/systemd/system", ":/opt", "/etc/systemd/system:/opt"))
	}
}

// oddity adds a mask, a link or something that is neither file nor link.
func (g *generator) oddity() {
	dir := pick(g, g.etc, g.etc, g.etc, g.usr, g.run, g.anywhere())
	dependents := pick(g, "multi-user.target", "t.target", "t@i.target", "gone.target", "c.service") + pick(g, ".wants/", ".requires/", ".upholds/")
	switch g.IntN(14) {
	case 0:
		g.s.link(dir+g.unit(), "/dev/null")
	case 1:
		g.s.link(dir+g.unit(), g.usr+g.unit())
	case 2:
		g.s.link(dir+g.unit(), "/opt/"+g.unit())
	case 3, 4:
		g.s.link(dir+dependents+g.unit(), pick(g, g.usr, "../", "/opt/")+g.unit())
	case 5:
		g.s.file(dir+g.unit(), "")
	case 6:
		g.s.link(dir+g.unit(), pick(g, g.unit(), "sub/"+g.unit(), "../../../opt/"+g.unit(), "foo.txt", "./"+g.unit(), "//usr//lib/systemd/system/./"+g.unit()))
	case 7:
		g.s.link(dir+strings.TrimSuffix(dependents, "/"), pick(g, "t.target.wants", "../../../opt", "nowhere"))
	case 8:
		g.s.add(file{path: dir + g.unit(), kind: fs.ModeDir})
	case 10: // a link to a link, and round in a circle
		u := g.unit()
		g.s.link(dir+u, pick(g, g.etc, g.usr, "")+g.unit())
		g.s.link(g.etc+g.unit(), pick(g, dir, "")+u)
	case 11: // an instance of a template, enabled or masked
		g.s.link(dir+pick(g, "", dependents)+pick(g, "a@i", "b@j-k", "x@i", "a@", "c@x@y")+".service", pick(g, "/dev/null", g.usr+pick(g, "a@", "b@", "x@", "a@i")+".service"))
	case 12: // a file where a directory is wanted
		g.s.file(dir+strings.TrimSuffix(dependents, "/"), "x\n")
	case 13: // a directory of units elsewhere, a part of it behind a link
		g.s.link(g.etc+"sub", pick(g, "/opt", g.usr, "../../../opt"))
		g.s.link(dir+g.unit(), g.etc+"sub/"+g.unit())
	case 9:
		g.s.link(dir+pick(g, "sub/", "t.target.d/", "x.wants/", ".wants/")+g.unit(), g.usr+g.unit())
	}
}

func (g *generator) presetFile() {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(pick(g, "enable ", "disable ", "disable ", "ignore ", "bogus ", "# ", "enable\t", " disable  ") +
			pick(g, g.unit(), "*.service", "a*", "[ab].*", "*", g.unit()+" i j", "?.service", "[!a]*", "x@.service i %z", "*@*", "a@.service i", "b@.service i j-k a/b", "a?.service", "*.t*", "{a,b}.service", "a\\*", "# x", "[]") + pick(g, "\n", "\n", "\n", "\n", " \n", "\r\n", "\n\n"))
	}
	dir := pick(g, "/usr/lib/", "/etc/", "/run/", "/usr/local/lib/") + g.presets + pick(g, "10-a", "50-b", "90-c") + ".preset"
	if g.chance(5) {
		g.s.link(dir, "/dev/null")
		return
	}
	g.s.file(dir, b.String())
}
