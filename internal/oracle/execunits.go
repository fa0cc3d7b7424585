package oracle

import (
	"path/filepath"
	"sync"
)

// takeUnits takes what Debian's package systemd-tests has for exec-*.service.
const takeUnits = `apt-get -q download systemd-tests
dpkg-deb -x systemd-tests_*.deb x
cp -r x/usr/lib/systemd/tests/testdata/test-execute "$DIR.new"
`

// ExecUnits is a directory with the services that systemd's own test of systemd.exec(5) starts. Nobody may change it.
var ExecUnits = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(Cache(), "test-execute")
	return dir, download(dir, forky, takeUnits)
})
