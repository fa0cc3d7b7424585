package image

import (
	"encoding/hex"
	"runtime"
	"slices"
)

// A role is what a partition is for.
type role int

// The roles, in the order in which they are mounted.
const (
	root role = iota
	usr
	home
	srv
	esp
	boot
	variable
	temporary
	roles
)

// places are where the roles are mounted. The EFI system partition is at /efi or /boot, whichever there is.
func (r role) place() string {
	return [...]string{"/", "/usr", "/home", "/srv", "/efi", "/boot", "/var", "/var/tmp"}[r]
}

// name is what an image policy calls the role.
func (r role) name() string {
	return [...]string{"root", "usr", "home", "srv", "esp", "xbootldr", "var", "tmp"}[r]
}

// A partitionType says what the partitions of a type are for.
type partitionType struct {
	id   string // of the Discoverable Partitions Specification
	role role
	arch string // "" for any; others' systems can be started where their programs can
	kind kind
}

// A kind is what a partition has of what it is for.
type kind int

const (
	contents  kind = iota // the file system
	hashes                // the hashes that it is checked against, dm-verity
	signature             // the root of these, signed
)

func partitionTypes() []partitionType {
	return []partitionType{
		{"4f68bce3e8cd4db196e7fbcaf984b709", root, "amd64", contents}, {"8484680c952148c69c11b0720656f69e", usr, "amd64", contents},
		{"44479540f29741b29af7d131d5f0458a", root, "386", contents}, {"75250d768cc6458ebd66bd47cc81a812", usr, "386", contents},
		{"b921b0451df041c3af444c6f280d3fae", root, "arm64", contents}, {"b0e01050ee5f4390949a9101b17104e9", usr, "arm64", contents},
		{"69dad7102ce44e3cb16c21a1d49abed3", root, "arm", contents}, {"7d0359a302b34f0a865c654403e70625", usr, "arm", contents},
		{"72ec70a6cf7440e6bd494bda08e8f224", root, "riscv64", contents}, {"beaec34b8442439ba40b984381ed097d", usr, "riscv64", contents},
		{"c31c45e63f39412e80fb4809c4980599", root, "ppc64le", contents}, {"15bb03af77e74d4ab12bc0d084f7491c", usr, "ppc64le", contents},
		{"5eead9a9fe094a1ea1d7520d00531306", root, "s390x", contents}, {"8a4f577050aa4ed3874a99b710db6fea", usr, "s390x", contents},
		{"77055800792c4f94b39a98c91b762bb6", root, "loong64", contents}, {"e611c702575c4cbe9a46434fa0bf7e3f", usr, "loong64", contents},
		{"933ac7e12eb44f13b8440e14e2aef915", home, "", contents}, {"3b8f842520e04f3b907f1a25a76f98e8", srv, "", contents},
		{"c12a7328f81f11d2ba4b00a0c93ec93b", esp, "", contents}, {"bc13c2ff59e64262a352b275fd6f7172", boot, "", contents},
		{"4d21b016b53445c2a9fb5c16e091fd2d", variable, "", contents}, {"7ec6f5573bc54acab29316ef5df639d1", temporary, "", contents},
		{"2c7357edebd246d9aec123d437ec2bf5", root, "amd64", hashes}, {"77ff5f63e7b64633acf41565b864c0e6", usr, "amd64", hashes},
		{"41092b059fc84523994f2def0408b176", root, "amd64", signature}, {"e7bb33fb06cf4e818273e543b413e2e2", usr, "amd64", signature},
		{"d13c5d3bb5d1422ab29f9454fdc89d76", root, "386", hashes}, {"8f461b0d14ee4e819aa9049b6fb97abd", usr, "386", hashes},
		{"5996fc05109c48de808b23fa0830b676", root, "386", signature}, {"974a71c0de4143c3be5d5c5ccd1ad2c0", usr, "386", signature},
		{"df3300ced69f4c92978c9bfb0f38d820", root, "arm64", hashes}, {"6e11a4e7fbca4dedb9e9e1a512bb664e", usr, "arm64", hashes},
		{"6db69de629f44758a7a5962190f00ce3", root, "arm64", signature}, {"c23ce4ff44bd4b00b2d4b41b3419e02a", usr, "arm64", signature},
		{"7386cdf2203c47a9a498f2ecce45a2d6", root, "arm", hashes}, {"c215d7517bcd4649be906627490a4c05", usr, "arm", hashes},
		{"42b0455feb11491d98d356145ba9d037", root, "arm", signature}, {"d7ff812f37d14902a810d76ba57b975a", usr, "arm", signature},
		{"b6ed5582440b4209b8da5ff7c419ea3d", root, "riscv64", hashes}, {"8f1056be9b0547c481d6be53128e5b54", usr, "riscv64", hashes},
		{"efe0f087ea8d4469821a4c2a96a8386a", root, "riscv64", signature}, {"d2f9000a7a18453fb5cd4d32f77a7b32", usr, "riscv64", signature},
		{"906bd94445894aaea4e4dd983917446a", root, "ppc64le", hashes}, {"ee2b998321e8415386d9b6901a54d1ce", usr, "ppc64le", hashes},
		{"d4a236e7e8734c07bf1dbf6cf7f1c3c6", root, "ppc64le", signature}, {"c8bfbd1e268e45218bbabf314c399557", usr, "ppc64le", signature},
		{"b325bfbec7be4ab88357139e652d2f6b", root, "s390x", hashes}, {"31741cc41a2a4111a581e00b447d2d06", usr, "s390x", hashes},
		{"c80187a573a3491a901a017c3fa953e9", root, "s390x", signature}, {"3f324816667b46ae86ee9b0c0c6c11b4", usr, "s390x", signature},
		{"f3393b22e9af4613a9489d3bfbd0c535", root, "loong64", hashes}, {"f46b2c2659ae48f09106c50ed47f673d", usr, "loong64", hashes},
		{"5afb67ebecc84f85ae8eac1e7c50e7d0", root, "loong64", signature}, {"b024f315d330444c846144bbde524e99", usr, "loong64", signature},
	}
}

// generic is the type of any partition of Linux, which is the root directory if it is the only one.
const generic = "0fc63daf848347728e793d69d8477de4"

// typeID writes the type of a partition, of which the disk has some bytes in reverse order.
func typeID(b [16]byte) string {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return hex.EncodeToString(b[:])
}

// preference is the better the smaller: ours, what our processor runs too, anything.
func preference(arch string) int {
	switch {
	case arch == "" || arch == runtime.GOARCH:
		return 0
	case runtime.GOARCH == "amd64" && arch == "386", runtime.GOARCH == "arm64" && arch == "arm":
		return 1
	}
	return 2
}
