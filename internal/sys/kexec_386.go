package sys

// kexecFileLoad is a call that this architecture has not.
const kexecFileLoad = 0
