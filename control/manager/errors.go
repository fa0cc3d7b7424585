package manager

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// An Error is what a service answered instead of a result.
type Error struct {
	Name    string // "org.freedesktop.systemd1.NoSuchUnit"
	Message string
	errno   syscall.Errno // instead of the name's
}

// Error is the service's message; where there is none, the text of the errno. What a
// bus says of a refusal is for its log.
func (e *Error) Error() string {
	if e.Name == prefixBus+"AccessDenied" {
		return "Access denied"
	}
	if e.Message != "" {
		return e.Message
	}
	return sys.Strerror(e.Errno())
}

// Is makes errors.Is find an error by its D-Bus name or its errno.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case *Error:
		return t.Name == e.Name
	case syscall.Errno:
		return t == e.Errno()
	}
	return false
}

// IsName tells whether err is an error of a service with one of these names, which may leave out
// "org.freedesktop.systemd1." and "org.freedesktop.DBus.Error.".
func IsName(err error, names ...string) bool {
	e, ok := err.(*Error)
	if !ok {
		return false
	}
	for _, n := range names {
		if e.Name == n || e.Name == prefix+n || e.Name == prefixBus+n {
			return true
		}
	}
	return false
}

const (
	prefix    = "org.freedesktop.systemd1."
	prefixBus = "org.freedesktop.DBus.Error."
	prefixSys = "System.Error."
)

// Errno is the number that the name stands for; EIO for names that stand for none.
func (e *Error) Errno() syscall.Errno {
	if e.errno != 0 {
		return e.errno
	}
	if n, ok := strings.CutPrefix(e.Name, prefixSys); ok {
		for e := syscall.Errno(1); e < 134; e++ {
			if unix.ErrnoName(e) == n {
				return e
			}
		}
		return syscall.EIO
	}
	for _, row := range namedErrors {
		if row.name == strings.TrimPrefix(strings.TrimPrefix(e.Name, prefix), prefixBus) {
			return row.errno
		}
	}
	return syscall.EIO
}

type namedErrno struct {
	name  string
	errno syscall.Errno
}

// namedErrors are the errors of the bus, the manager and the login manager that stand for an errno.
var namedErrors = [...]namedErrno{
	{"Failed", syscall.EACCES},
	{"NoMemory", syscall.ENOMEM},
	{"ServiceUnknown", syscall.EHOSTUNREACH},
	{"NameHasNoOwner", syscall.ENXIO},
	{"NoReply", syscall.ETIMEDOUT},
	{"IOError", syscall.EIO},
	{"BadAddress", syscall.EADDRNOTAVAIL},
	{"NotSupported", syscall.EOPNOTSUPP},
	{"LimitsExceeded", syscall.ENOBUFS},
	{"AccessDenied", syscall.EACCES},
	{"AuthFailed", syscall.EACCES},
	{"InteractiveAuthorizationRequired", syscall.EACCES},
	{"NoServer", syscall.EHOSTDOWN},
	{"Timeout", syscall.ETIMEDOUT},
	{"NoNetwork", syscall.ENONET},
	{"AddressInUse", syscall.EADDRINUSE},
	{"Disconnected", syscall.ECONNRESET},
	{"InvalidArgs", syscall.EINVAL},
	{"FileNotFound", syscall.ENOENT},
	{"FileExists", syscall.EEXIST},
	{"UnknownMethod", syscall.EBADR},
	{"UnknownObject", syscall.EBADR},
	{"UnknownInterface", syscall.EBADR},
	{"UnknownProperty", syscall.EBADR},
	{"PropertyReadOnly", syscall.EROFS},
	{"UnixProcessIdUnknown", syscall.ESRCH},
	{"InvalidSignature", syscall.EINVAL},
	{"InconsistentMessage", syscall.EBADMSG},
	{"TimedOut", syscall.ETIMEDOUT},
	{"MatchRuleInvalid", syscall.EINVAL},
	{"InvalidFileContent", syscall.EINVAL},
	{"MatchRuleNotFound", syscall.ENOENT},
	{"SELinuxSecurityContextUnknown", syscall.ESRCH},
	{"ObjectPathInUse", syscall.EBUSY},

	{"NoSuchUnit", syscall.ENOENT},
	{"NoUnitForPID", syscall.ESRCH},
	{"NoUnitForInvocationID", syscall.ENOENT},
	{"UnitExists", syscall.EEXIST},
	{"LoadFailed", syscall.EIO},
	{"BadUnitSetting", syscall.ENOEXEC},
	{"JobFailed", syscall.EREMOTEIO},
	{"NoSuchJob", syscall.ENOENT},
	{"NotSubscribed", syscall.EINVAL},
	{"AlreadySubscribed", syscall.EINVAL},
	{"OnlyByDependency", syscall.EINVAL},
	{"TransactionJobsConflicting", syscall.EDEADLK},
	{"TransactionOrderIsCyclic", syscall.EDEADLK},
	{"TransactionIsDestructive", syscall.EDEADLK},
	{"UnitMasked", syscall.ERFKILL},
	{"UnitGenerated", syscall.EADDRNOTAVAIL},
	{"UnitLinked", syscall.ELOOP},
	{"JobTypeNotApplicable", syscall.EBADR},
	{"NoIsolation", syscall.EPERM},
	{"ShuttingDown", syscall.ECANCELED},
	{"ScopeNotRunning", syscall.EHOSTDOWN},
	{"NoSuchDynamicUser", syscall.ESRCH},
	{"NotReferenced", syscall.EUNATCH},
	{"DiskFull", syscall.ENOSPC},
	{"NothingToClean", syscall.EUNATCH},
	{"UnitBusy", syscall.EBUSY},
	{"UnitInactive", syscall.EHOSTDOWN},
	{"FreezeCancelled", syscall.ECANCELED},

	{"org.freedesktop.login1.OperationInProgress", syscall.EINPROGRESS},
	{"org.freedesktop.login1.SleepVerbNotSupported", syscall.EOPNOTSUPP},
	{"org.freedesktop.login1.SleepVerbDisabled", syscall.EOPNOTSUPP},
	{"org.freedesktop.login1.BlockedByInhibitorLock", syscall.EACCES},
	{"org.freedesktop.login1.InhibitorLock", syscall.EACCES},
	{"org.freedesktop.login1.NoSuchSession", syscall.ENXIO},
	{"org.freedesktop.login1.NoSuchUser", syscall.ENXIO},
	{"org.freedesktop.machine1.NoSuchMachine", syscall.ENXIO},
}
