package assign

import "ctl/control/manager"

// The types of units that groups of settings belong to; "" is all.
const (
	haveProcesses = "service socket mount"
	areKilled     = "service socket mount scope"
	haveCgroups   = "service socket mount slice scope"
)

// A settingGroup are settings that are read alike.
type settingGroup struct {
	kinds string
	read  func(key, value string) ([]manager.Assignment, error)
	names string
}

// settings are all that a unit can be given while it is loaded, or when it is made: systemd.unit(5), systemd.exec(5) and
// the others. What of it a loaded unit takes, the manager decides.
var settings = [...]settingGroup{
	{"", readText, "Description SourcePath OnFailureJobMode JobTimeoutAction JobTimeoutRebootArgument StartLimitAction " +
		"FailureAction SuccessAction RebootArgument CollectMode"},
	{"", readWords, "Documentation Requires Requisite Wants BindsTo Upholds Conflicts Before After OnSuccess OnFailure " +
		"PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom PartOf JoinsNamespaceOf RequiresMountsFor " +
		"WantsMountsFor Markers"},
	{"", readBool, "StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate DefaultDependencies SurviveFinalKillSignal " +
		"IgnoreOnIsolate"},
	{"", readSpan, "JobTimeoutSec JobRunningTimeoutSec StartLimitIntervalSec"},
	{"", readUnsigned, "StartLimitBurst"},
	{"", readActionStatus, "FailureActionExitStatus SuccessActionExitStatus"},
	{"", readCondition, conditions},

	{haveCgroups, readText, "Slice CPUSetPartition DevicePolicy DelegateSubgroup ManagedOOMSwap ManagedOOMMemoryPressure " +
		"ManagedOOMPreference MemoryPressureWatch CPUPressureWatch IOPressureWatch BindNetworkInterface"},
	{haveCgroups, readWords, "DisableControllers OOMRules"},
	{haveCgroups, readWhole, "IPIngressFilterPath IPEgressFilterPath"},
	{haveCgroups, readBool, "MemoryAccounting MemoryZSwapWriteback IOAccounting TasksAccounting IPAccounting CoredumpReceive"},
	{haveCgroups, readSpan, "MemoryPressureThresholdSec CPUPressureThresholdSec IOPressureThresholdSec"},
	{haveCgroups, readSpanOrNone, "CPUQuotaPeriodSec ManagedOOMMemoryPressureDurationSec"},
	{haveCgroups, readWeight, "CPUWeight StartupCPUWeight IOWeight StartupIOWeight"},
	{haveCgroups, readCPUQuota, "CPUQuota"},
	{haveCgroups, readLimit, "MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryZSwapMax TasksMax"},
	{haveCgroups, readPressureLimit, "ManagedOOMMemoryPressureLimit"},
	{haveCgroups, readPerDevice, "IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec"},
	{haveCgroups, readDeviceAllow, "DeviceAllow"},
	{haveCgroups, readPair, "BPFProgram"},
	{haveCgroups, readBitmap, "AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes"},
	{haveCgroups, readPrefixes, "IPAddressAllow IPAddressDeny"},
	{haveProcesses, readFilter, "RestrictNetworkInterfaces"},
	{haveCgroups, readDelegate, "Delegate"},
	{haveCgroups, readSocketBind, "SocketBindAllow SocketBindDeny"},
	{haveCgroups, readNFTSet, "NFTSet"},
	{haveCgroups, deprecated, "CPUAccounting CPUShares StartupCPUShares MemoryLimit BlockIOAccounting BlockIOWeight StartupBlockIOWeight " +
		"BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth DefaultMemoryLow DefaultMemoryMin"},

	{areKilled, readText, "KillMode"},
	{areKilled, readBool, "SendSIGKILL SendSIGHUP"},
	{areKilled, readSignal, "KillSignal RestartKillSignal FinalKillSignal WatchdogSignal"},

	{haveProcesses, readText, "WorkingDirectory RootDirectory RootImage RootImagePolicy RootVerity RootMStack ExtensionImagePolicy " +
		"MountImagePolicy User Group StandardInput StandardOutput StandardError TTYPath SyslogIdentifier KeyringMode ProtectProc ProcSubset " +
		"PrivateBPF BPFDelegateCommands BPFDelegateMaps BPFDelegatePrograms BPFDelegateAttachments UserNamespacePath " +
		"NetworkNamespacePath IPCNamespacePath LogNamespace PrivatePIDs ProtectSystem ProtectHome Personality " +
		"RuntimeDirectoryPreserve PAMName UtmpIdentifier UtmpMode SELinuxContext MemoryTHP PrivateTmpEx ProtectControlGroupsEx PrivateUsersEx"},
	{haveProcesses, readBool, "RootEphemeral SetLoginEnvironment CPUSchedulingResetOnFork DynamicUser RemoveIPC TTYReset TTYVHangup " +
		"TTYVTDisallocate SyslogLevelPrefix NoNewPrivileges MemoryDenyWriteExecute RestrictRealtime RestrictSUIDSGID LockPersonality " +
		"PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock PrivateNetwork PrivateMounts PrivateIPC " +
		"MountAPIVFS BindLogSockets StateDirectoryAccounting CacheDirectoryAccounting LogsDirectoryAccounting IgnoreSIGPIPE MemoryKSM"},
	{haveProcesses, readBoolOrMore, "PrivateTmp ProtectControlGroups PrivateUsers"},
	{haveProcesses, readHostname, "ProtectHostname ProtectHostnameEx"},
	{haveProcesses, readWords, "ExtensionDirectories SupplementaryGroups SystemCallArchitectures ReadWriteDirectories ReadOnlyDirectories " +
		"InaccessibleDirectories ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ConfigurationDirectory"},
	{haveProcesses, readEscapedWords, "Environment PassEnvironment UnsetEnvironment"},
	{haveProcesses, readPathList, "ExecSearchPath"},
	{haveProcesses, readUnsigned, "TTYRows TTYColumns LogRateLimitBurst"},
	{haveProcesses, readMode, "UMask RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode ConfigurationDirectoryMode"},
	{haveProcesses, readSpan, "LogRateLimitIntervalSec"},
	{haveProcesses, readNanoseconds, "TimerSlackNSec"},
	{haveProcesses, readInteger, "OOMScoreAdjust CPUSchedulingPriority"},
	{haveProcesses, readNamedInteger, "CPUSchedulingPolicy IOSchedulingClass IOSchedulingPriority SyslogFacility SyslogLevel LogLevelMax " +
		"NUMAPolicy SystemCallErrorNumber Nice"},
	{haveProcesses, readResource, "LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS LimitNPROC LimitMEMLOCK " +
		"LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME"},
	{haveProcesses, readFlags, "CoredumpFilter CapabilityBoundingSet AmbientCapabilities RestrictNamespaces DelegateNamespaces MountFlags SecureBits"},
	{haveProcesses, readBitmap, "CPUAffinity NUMAMask"},
	{haveProcesses, readFilter, "SystemCallFilter SystemCallLog RestrictAddressFamilies RestrictFileSystems"},
	{haveProcesses, readLabel, "AppArmorProfile SmackProcessLabel"},
	{haveProcesses, readPatterns, "LogFilterPatterns"},
	{haveProcesses, readPairs, "RootImageOptions TemporaryFileSystem"},
	{haveProcesses, readPair, "LoadCredential LoadCredentialEncrypted ImportCredential"},
	{haveProcesses, readCredential, "SetCredential SetCredentialEncrypted"},
	{haveProcesses, readImages, "ExtensionImages MountImages"},
	{haveProcesses, readBinds, "BindPaths BindReadOnlyPaths"},
	{haveProcesses, readDirectories, "RuntimeDirectory StateDirectory CacheDirectory LogsDirectory"},
	{haveProcesses, readQuota, "StateDirectoryQuota CacheDirectoryQuota LogsDirectoryQuota"},
	{haveProcesses, readEnvironmentFile, "EnvironmentFile"},
	{haveProcesses, readData, "StandardInputText StandardInputData LogExtraFields RootHash RootHashSignature"},

	{"service", readText, "PIDFile TimeoutStartFailureMode TimeoutStopFailureMode Type ExitType Restart RestartMode BusName " +
		"FileDescriptorStorePreserve NotifyAccess USBFunctionDescriptors USBFunctionStrings OOMPolicy"},
	{"service", readBool, "PermissionsStartOnly RootDirectoryStartOnly RemainAfterExit GuessMainPID"},
	{"service", readSpan, "RestartSec RestartMaxDelaySec RestartRandomizedDelaySec TimeoutStartSec TimeoutStopSec TimeoutAbortSec " +
		"RuntimeMaxSec RuntimeRandomizedExtraSec WatchdogSec"},
	{"service", readTimeout, "TimeoutSec"},
	{"service", readUnsigned, "RestartSteps FileDescriptorStoreMax"},
	{"service", readSignal, "ReloadSignal"},
	{"service", readWords, "LUOSession"},
	{"service", readExec, "ExecCondition ExecConditionEx ExecStartPre ExecStartPreEx ExecStart ExecStartEx ExecStartPost ExecStartPostEx " +
		"ExecReload ExecReloadEx ExecReloadPost ExecReloadPostEx ExecStop ExecStopEx ExecStopPost ExecStopPostEx"},
	{"service", readStatuses, "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus"},
	{"service", readPatterns, "RefreshOnReload"},
	{"service", readOpenFile, "OpenFile"},

	{"scope", readText, "OOMPolicy User Group"},
	{"scope", readSpan, "RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutStopSec"},

	{"socket", readListen, "ListenStream ListenDatagram ListenSequentialPacket ListenFIFO ListenNetlink ListenSpecial ListenMessageQueue " +
		"ListenUSBFunction"},
	{"socket", readText, "BindIPv6Only BindToDevice SocketUser SocketGroup Timestamping TCPCongestion FileDescriptorName DeferTrigger " +
		"SmackLabel SmackLabelIPIn SmackLabelIPOut"},
	{"socket", readBool, "Accept FlushPending Writable KeepAlive NoDelay FreeBind Transparent Broadcast PassCredentials PassSecurity " +
		"PassPacketInfo ReusePort RemoveOnStop PassFileDescriptorsToExec SELinuxContextFromNet"},
	{"socket", readUnsigned, "Backlog MaxConnections MaxConnectionsPerSource KeepAliveProbes TriggerLimitBurst PollLimitBurst"},
	{"socket", readSpan, "TimeoutSec KeepAliveTimeSec KeepAliveIntervalSec DeferAcceptSec TriggerLimitIntervalSec PollLimitIntervalSec " +
		"DeferTriggerMaxSec"},
	{"socket", readMode, "SocketMode DirectoryMode"},
	{"socket", readInteger, "Priority IPTTL Mark"},
	{"socket", readNamedInteger, "SocketProtocol IPTOS"},
	{"socket", readSize, "ReceiveBuffer SendBuffer PipeSize"},
	{"socket", readLong, "MessageQueueMaxMessages MessageQueueMessageSize"},
	{"socket", readWords, "Symlinks"},
	{"socket", readAttribute, "XAttrEntryPoint XAttrListen XAttrAccept"},
	{"socket", readExec, "ExecStartPre ExecStartPost ExecReload ExecStopPost"},

	{"mount", readText, "What Where Options Type"},
	{"mount", readSpan, "TimeoutSec"},
	{"mount", readMode, "DirectoryMode"},
	{"mount", readBool, "SloppyOptions LazyUnmount ForceUnmount"},

	{"automount", readText, "Where ExtraOptions"},
	{"automount", readMode, "DirectoryMode"},
	{"automount", readSpan, "TimeoutIdleSec"},

	{"path", readListen, "PathExists PathExistsGlob PathChanged PathModified DirectoryNotEmpty"},
	{"path", readBool, "MakeDirectory"},
	{"path", readMode, "DirectoryMode"},
	{"path", readUnsigned, "TriggerLimitBurst"},
	{"path", readSpan, "TriggerLimitIntervalSec"},

	{"timer", readListen, "OnCalendar"},
	{"timer", readTimer, "OnActiveSec OnBootSec OnStartupSec OnUnitActiveSec OnUnitInactiveSec"},
	{"timer", readBool, "OnClockChange OnTimezoneChange Persistent WakeSystem RemainAfterElapse FixedRandomDelay DeferReactivation"},
	{"timer", readSpan, "AccuracySec RandomizedDelaySec RandomizedOffsetSec"},
}

// conditions are the tests that a start depends on, each both ways.
const conditions = "ConditionPathExists ConditionPathExistsGlob ConditionPathIsDirectory ConditionPathIsSymbolicLink " +
	"ConditionPathIsMountPoint ConditionPathIsReadWrite ConditionPathIsEncrypted ConditionPathIsSocket ConditionDirectoryNotEmpty " +
	"ConditionFileNotEmpty ConditionFileIsExecutable ConditionNeedsUpdate ConditionFirstBoot ConditionArchitecture ConditionFirmware " +
	"ConditionVirtualization ConditionHost ConditionFraction ConditionKernelCommandLine ConditionKernelVersion ConditionVersion " +
	"ConditionCredential ConditionSecurity ConditionCapability ConditionACPower ConditionMemory ConditionCPUFeature ConditionCPUs " +
	"ConditionEnvironment ConditionUser ConditionGroup ConditionControlGroupController ConditionOSRelease ConditionMachineTag " +
	"ConditionMemoryPressure ConditionCPUPressure ConditionIOPressure ConditionKernelModuleLoaded " +
	"AssertPathExists AssertPathExistsGlob AssertPathIsDirectory AssertPathIsSymbolicLink " +
	"AssertPathIsMountPoint AssertPathIsReadWrite AssertPathIsEncrypted AssertPathIsSocket AssertDirectoryNotEmpty " +
	"AssertFileNotEmpty AssertFileIsExecutable AssertNeedsUpdate AssertFirstBoot AssertArchitecture AssertFirmware " +
	"AssertVirtualization AssertHost AssertFraction AssertKernelCommandLine AssertKernelVersion AssertVersion " +
	"AssertCredential AssertSecurity AssertCapability AssertACPower AssertMemory AssertCPUFeature AssertCPUs " +
	"AssertEnvironment AssertUser AssertGroup AssertControlGroupController AssertOSRelease AssertMachineTag " +
	"AssertMemoryPressure AssertCPUPressure AssertIOPressure AssertKernelModuleLoaded"
