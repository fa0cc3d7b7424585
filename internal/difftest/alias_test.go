package difftest

import "testing"

// TestAliases gives a plain unit, a template and an instance every form of alias, each alone.
func TestAliases(t *testing.T) {
	st := outside(t)
	for _, word := range []string{
		"a.service", "alias.service", "alias.socket", "alias.mount", "alias.automount", "alias.swap", "alias.slice", "alias.scope", "alias.device",
		"alias@.service", "alias@i.service", "alias@j.service", "alias@%i.service", "%p-alias@.service", "alias@.socket", "alias@i.socket",
		"t@.service", "t@i.service", "t@j.service", "foo", "foo.bar", ".service", "@.service", "@i.service", "a b.service", "a\\x20b.service",
		"x.target.wants/a.service", "x.target.wants/t@.service", "x.target.wants/t@i.service", "x.target.wants/t@j.service", "x.target.wants/b.service",
		"x.target.wants/a.socket", "x@.target.wants/a.service", "x@.target.wants/t@.service", "x@.target.wants/t@i.service", "x@i.target.wants/t@i.service",
		"x@i.target.wants/t@.service", "x.target.requires/a.service", "x.target.requires/t@i.service", "x.target.upholds/a.service",
		"x.target.conf/a.service", "x.wants/a.service", ".wants/a.service", "wants/a.service", "x.target.wants/", "x.target.wants/foo",
		"x.target/a.service", "/a.service", "/etc/a.service", "../a.service", "../../x.target.wants/a.service", "x/x.target.wants/a.service",
		"x.target.wants//a.service", "./a.service", "x.target.wants/../a.service", "%n", "%N.socket", "%i.service", "%j.service", "%%.service", "%z.service",
	} {
		var s scenario
		text := "[Install]\nAlias=" + word + "\n"
		s.file(usr+"a.service", text)
		s.file(usr+"t@.service", text)
		s.file(usr+"x.target", "[Unit]\n")
		for _, u := range []string{"a", "t@", "t@i"} {
			one := s
			one.commands = [][]string{{"enable", u}, {"is-enabled", u}, {"disable", u}}
			if d := one.compare(t, st); d != "" {
				t.Errorf("Alias=%s in %s\n%s", word, u, d)
			}
		}
	}
}
