package runtest

// many are lives of several units, and of units that others start.
var many = []life{
	{name: "partof", args: "--with-dependencies", text: `[Unit]
Wants=life-partof-b.service
After=life-partof-b.service
[Service]
ExecStart=LOG a'; echo up >FIFO; exec sleep 1000'
ExecStopPost=LOG stoppost a $SERVICE_RESULT'
`, more: map[string]string{"life-partof-b.service": `[Unit]
PartOf=life-partof.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=LOG b'
ExecStop=LOG stop b'
`}, script: "await; up; stop", deaf: true},
	// What is required and ends by itself takes nothing with it.
	{name: "outlives", args: "--with-dependencies", text: `[Unit]
Requires=life-outlives-b.service
After=life-outlives-b.service
[Service]
ExecStart=LOG a'; sleep 0.6; echo a is still there >>/run/life/NAME/log'
ExecStopPost=LOG stoppost a $SERVICE_RESULT'
`, more: map[string]string{"life-outlives-b.service": `[Service]
Type=exec
ExecStartPre=LOG b'
ExecStart=/bin/sh -c 'sleep 0.2; exit 3'
`}, deaf: true},
	{name: "several", args: "life-several-b.service", text: `[Unit]
After=life-several-b.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-several-b.service": `[Service]
Type=oneshot
ExecStart=/bin/sleep 0.3
ExecStartPost=LOG b'
`}, deaf: true},
	{name: "onefails", args: "life-onefails-b.service", text: `[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-onefails-b.service": `[Unit]
After=life-onefails.service
[Service]
Type=oneshot
ExecStart=LOG b'; exit 4'
`}, deaf: true, exit: "4"},
	{name: "order3", args: "--with-dependencies", text: `[Unit]
Wants=life-order3-b.service life-order3-c.service
After=life-order3-b.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-order3-b.service": `[Unit]
After=life-order3-c.service
[Service]
Type=oneshot
ExecStart=LOG b'
`, "life-order3-c.service": `[Service]
Type=oneshot
ExecStart=/bin/sleep 0.3
ExecStartPost=LOG c'
`}, deaf: true},
	{name: "requisite", args: "--with-dependencies", text: `[Unit]
Requisite=life-requisite-b.service
After=life-requisite-b.service
[Service]
ExecStart=LOG a'
`, more: map[string]string{"life-requisite-b.service": `[Service]
ExecStart=LOG b'
`}, exit: "1"},
	{name: "wantsfailing", args: "--with-dependencies", text: `[Unit]
Wants=life-wantsfailing-b.service
After=life-wantsfailing-b.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-wantsfailing-b.service": `[Service]
Type=oneshot
ExecStart=LOG b'; exit 9'
`}, deaf: true},
	{name: "idlewaits", args: "--with-dependencies", text: `[Unit]
Wants=life-idlewaits-b.service
[Service]
Type=idle
ExecStart=LOG a'; sleep 1'
`, more: map[string]string{"life-idlewaits-b.service": `[Service]
Type=oneshot
ExecStart=/bin/sleep 0.5
ExecStartPost=LOG b'
`}, deaf: true},
	{name: "missingwanted", args: "--with-dependencies", text: `[Unit]
Wants=life-nosuch.service
[Service]
Type=oneshot
ExecStart=LOG a'
`},
	{name: "requirescycle", deaf: true, exit: "1", args: "--with-dependencies", text: `[Unit]
Requires=life-requirescycle-b.service
After=life-requirescycle-b.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-requirescycle-b.service": `[Unit]
Requires=life-requirescycle.service
After=life-requirescycle.service
[Service]
Type=oneshot
ExecStart=LOG b'
`}},
	{name: "needseachother", deaf: true, args: "--with-dependencies", text: `[Unit]
Requires=life-needseachother-b.service
[Service]
ExecStartPre=LOG a'
ExecStart=/bin/sleep 1
`, more: map[string]string{"life-needseachother-b.service": `[Unit]
Requires=life-needseachother.service
After=life-needseachother.service
[Service]
Type=oneshot
ExecStart=LOG b'
`}},
	{name: "conflict", deaf: true, exit: "1", args: "--with-dependencies", text: `[Unit]
Requires=life-conflict-b.service
Conflicts=life-conflict-b.service
[Service]
ExecStart=LOG a'
`, more: map[string]string{"life-conflict-b.service": `[Service]
ExecStart=LOG b'
`}},
	{name: "socketcommands", kind: "socket", text: `[Socket]
KeyringMode=private
ListenStream=/run/life/NAME/s
ExecStartPre=LOG pre'; test -e /run/life/NAME/s || echo no socket yet >>/run/life/NAME/log'
ExecStartPost=LOG post'; test -e /run/life/NAME/s && echo a socket >>/run/life/NAME/log'
ExecStopPre=LOG stoppre'
ExecStopPost=LOG stoppost'
RemoveOnStop=yes
`, more: map[string]string{"life-socketcommands.service": `[Service]
ExecStart=LOG start'
`}, script: "up; stop"},
	{name: "socketfails", kind: "socket", text: `[Socket]
KeyringMode=private
ListenStream=/run/life/NAME/s
ExecStartPre=LOG pre'; exit 3'
ExecStartPost=LOG post'
ExecStopPre=LOG stoppre'
ExecStopPost=LOG stoppost'
`, more: map[string]string{"life-socketfails.service": `[Service]
ExecStart=LOG start'
`}, exit: "1"},
}

// bad are services that cannot be started.
var bad = []life{
	{name: "noexec", text: "[Service]\nExecStart=/nonexistent/program\nExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'\n"},
	{name: "withcredential", text: "[Service]\nSetCredential=a:b\nExecStart=LOG start'\n"},
	{name: "noexectype", text: "[Service]\nType=exec\nExecStart=/nonexistent/program\n"},
	{name: "isdirectory", text: "[Service]\nExecStart=/usr\n"},
	{name: "notexecutable", text: "[Service]\nExecStart=/etc/passwd\n"},
	{name: "noformat", text: "[Service]\nExecStartPre=/bin/sh -c 'echo \\0001 >/run/life/NAME/x; chmod 755 /run/life/NAME/x'\nExecStart=/run/life/NAME/x\n"},
	{name: "nopre", text: "[Service]\nExecStartPre=/nonexistent/program\nExecStart=/bin/true\n", exit: "203"},
	{name: "nouser", text: "[Service]\nUser=nosuchuser\nExecStart=/bin/true\nExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'\n"},
	{name: "nogroup", text: "[Service]\nGroup=nosuchgroup\nExecStart=/bin/true\n"},
	{name: "nosupplementary", text: "[Service]\nSupplementaryGroups=nosuchgroup\nExecStart=/bin/true\n"},
	{name: "nodirectory", text: "[Service]\nWorkingDirectory=/nonexistent\nExecStart=/bin/true\n"},
	{name: "noroot", text: "[Service]\nRootDirectory=/nonexistent\nExecStart=/bin/true\n"},
	{name: "nobind", text: "[Service]\nBindPaths=/nonexistent\nExecStart=/bin/true\n"},
	{name: "nopath", text: "[Service]\nReadOnlyPaths=/nonexistent\nExecStart=/bin/true\n"},
	{name: "noinput", text: "[Service]\nStandardInput=file:/nonexistent/file\nExecStart=/bin/true\n"},
	{name: "nooutput", text: "[Service]\nStandardOutput=file:/nonexistent/file\nExecStart=/bin/true\n"},
	{name: "noenvironment", text: "[Service]\nEnvironmentFile=/nonexistent\nExecStart=/bin/true\n", exit: "1"},
	{name: "noenvironmentpre", text: "[Service]\nEnvironmentFile=/nonexistent\nExecStartPre=/bin/true\nExecStart=/bin/true\nExecStopPost=/bin/true\n", exit: "1"},
	{name: "nocredential", text: "[Service]\nLoadCredential=a:/nonexistent\nExecStart=/bin/true\n"},
	{name: "noruntime", text: "[Service]\nRuntimeDirectory=life/NAME/x\nExecStartPre=LOG pre'\nExecStart=/bin/true\n"},
	{name: "occupied", text: "[Service]\nStateDirectory=life-occupied/x\nExecStart=/bin/true\n"},
	{name: "nonetwork", text: "[Service]\nNetworkNamespacePath=/nonexistent\nExecStart=/bin/true\n"},
	{name: "refuses", text: "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=LOG start'\n", exit: "1", deaf: true},
	{name: "nothing", text: "[Service]\nExecStop=LOG stop'\n", exit: "1", deaf: true},
	{name: "two", text: "[Service]\nExecStart=LOG one'\nExecStart=LOG two'\n", exit: "1", deaf: true},
	{name: "oneshotalways", text: "[Service]\nType=oneshot\nRestart=always\nExecStart=LOG one'\n", exit: "1", deaf: true},
	{name: "busless", text: "[Service]\nType=dbus\nExecStart=LOG one'\n", exit: "1", deaf: true},
	{name: "unparsable", text: "[Service]\nExecStart=/bin/sh -c 'unbalanced\n", exit: "1", deaf: true},
	{name: "empty", text: "", exit: "1", deaf: true},
	{name: "nosection", text: "ExecStart=/bin/true\n[Service]\nType=simple\n", exit: "1", deaf: true},
	{name: "noabsolute", text: "[Service]\nExecStart=../bin/true\n", exit: "1", deaf: true},
}
