package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// downloadUnits downloads Debian's package systemd-tests of the release $RELEASE and leaves what it has for exec-*.service in $DIR.
const downloadUnits = `set -e
trap 'rm -rf "$DIR.apt"' EXIT
rm -rf "$DIR.apt" "$DIR.new"
mkdir -p "$DIR.apt/lists/partial" "$DIR.apt/cache/archives/partial"
cd "$DIR.apt"
echo "deb $MIRROR $RELEASE main" >sources.list
cat >conf <<EOF
Dir::Etc::sourcelist "$DIR.apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$DIR.apt/lists";
Dir::Cache "$DIR.apt/cache";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
EOF
export APT_CONFIG=$DIR.apt/conf
apt-get -q update
apt-get -q download systemd-tests
dpkg-deb -x systemd-tests_*.deb x
cp -r x/usr/lib/systemd/tests/testdata/test-execute "$DIR.new"
mv "$DIR.new" "$DIR"
`

// ExecUnits is a directory with the services that systemd's own test of systemd.exec(5) starts. Nobody may change it.
var ExecUnits = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(Cache(), "test-execute")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mirror, err := mirror()
	if err != nil {
		return "", err
	}
	lock, err := lockCache()
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cmd := exec.Command("sh", "-c", downloadUnits)
	cmd.Env = append(os.Environ(), "DIR="+dir, "MIRROR="+mirror, "RELEASE="+forky)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("download systemd-tests: %w: %s", err, tail(out))
	}
	return dir, nil
})
