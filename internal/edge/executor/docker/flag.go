package docker

import (
	"net/netip"
	"time"

	"github.com/moby/moby/api/types/container"
)

// A flag of `docker create`. Either set or refuse is there.
type flag struct {
	bare   bool // takes no value, or true and false after =
	set    func(s *shape, value string) error
	refuse string // why it cannot be given
}

// short are the letters that stand for flags.
var short = map[byte]string{
	'a': "attach", 'c': "cpu-shares", 'e': "env", 'h': "hostname", 'i': "interactive", 'l': "label", 'm': "memory", 'p': "publish",
	'P': "publish-all", 'q': "quiet", 't': "tty", 'u': "user", 'v': "volume", 'w': "workdir",
}

// flags are those of `docker create` (Docker documentation, docker container create). GitHub's workflow syntax refuses
// --network, and for a job's container --entrypoint.
var flags = map[string]flag{
	"add-host":              {set: addHost},
	"annotation":            {set: pair(func(s *shape) *map[string]string { return &s.host.Annotations })},
	"attach":                {set: nothing("attach")},
	"blkio-weight":          {set: small(func(s *shape) *uint16 { return &s.host.BlkioWeight })},
	"cap-add":               {set: list(func(s *shape) *[]string { return &s.host.CapAdd })},
	"cap-drop":              {set: list(func(s *shape) *[]string { return &s.host.CapDrop })},
	"cgroup-parent":         {set: text(func(s *shape) *string { return &s.host.CgroupParent })},
	"cgroupns":              {set: text(func(s *shape) *container.CgroupnsMode { return &s.host.CgroupnsMode })},
	"cidfile":               {set: nothing("cidfile")},
	"cpu-period":            {set: number(func(s *shape) *int64 { return &s.host.CPUPeriod })},
	"cpu-quota":             {set: number(func(s *shape) *int64 { return &s.host.CPUQuota })},
	"cpu-rt-period":         {set: number(func(s *shape) *int64 { return &s.host.CPURealtimePeriod })},
	"cpu-rt-runtime":        {set: number(func(s *shape) *int64 { return &s.host.CPURealtimeRuntime })},
	"cpu-shares":            {set: number(func(s *shape) *int64 { return &s.host.CPUShares })},
	"cpus":                  {set: cpus},
	"cpuset-cpus":           {set: text(func(s *shape) *string { return &s.host.CpusetCpus })},
	"cpuset-mems":           {set: text(func(s *shape) *string { return &s.host.CpusetMems })},
	"device":                {set: device},
	"device-cgroup-rule":    {set: list(func(s *shape) *[]string { return &s.host.DeviceCgroupRules })},
	"disable-content-trust": {bare: true, set: nothing("disable-content-trust")},
	"dns":                   {set: dns},
	"dns-opt":               {set: list(func(s *shape) *[]string { return &s.host.DNSOptions })},
	"dns-option":            {set: list(func(s *shape) *[]string { return &s.host.DNSOptions })},
	"dns-search":            {set: list(func(s *shape) *[]string { return &s.host.DNSSearch })},
	"domainname":            {set: text(func(s *shape) *string { return &s.config.Domainname })},
	"entrypoint":            {set: func(s *shape, v string) error { s.config.Entrypoint = []string{v}; return nil }},
	"env":                   {set: environment},
	"env-file":              {refuse: "name the variables in env"},
	"expose":                {set: expose},
	"gpus":                  {set: gpus},
	"group-add":             {set: list(func(s *shape) *[]string { return &s.host.GroupAdd })},
	"health-cmd":            {set: func(s *shape, v string) error { s.health().Test = []string{"CMD-SHELL", v}; return nil }},
	"health-interval":       {set: duration(func(s *shape) *time.Duration { return &s.health().Interval })},
	"health-retries":        {set: whole(func(s *shape) *int { return &s.health().Retries })},
	"health-start-interval": {set: duration(func(s *shape) *time.Duration { return &s.health().StartInterval })},
	"health-start-period":   {set: duration(func(s *shape) *time.Duration { return &s.health().StartPeriod })},
	"health-timeout":        {set: duration(func(s *shape) *time.Duration { return &s.health().Timeout })},
	"hostname":              {set: text(func(s *shape) *string { return &s.config.Hostname })},
	"init":                  {bare: true, set: func(s *shape, v string) error { b, err := boolean(v); s.host.Init = &b; return err }},
	"interactive":           {bare: true, set: nothing("interactive")},
	"ip":                    {set: address(func(s *shape) *netip.Addr { return &ipam(s).IPv4Address })},
	"ip6":                   {set: address(func(s *shape) *netip.Addr { return &ipam(s).IPv6Address })},
	"ipc":                   {set: text(func(s *shape) *container.IpcMode { return &s.host.IpcMode })},
	"isolation":             {refuse: "it is of Windows containers"},
	"label":                 {set: label},
	"label-file":            {refuse: "name the labels with --label"},
	"link":                  {set: list(func(s *shape) *[]string { return &s.endpoint.Links })},
	"log-driver":            {set: text(func(s *shape) *string { return &s.host.LogConfig.Type })},
	"log-opt":               {set: pair(func(s *shape) *map[string]string { return &s.host.LogConfig.Config })},
	"mac-address":           {set: mac},
	"memory":                {set: size(func(s *shape) *int64 { return &s.host.Memory })},
	"memory-reservation":    {set: size(func(s *shape) *int64 { return &s.host.MemoryReservation })},
	"memory-swap":           {set: size(func(s *shape) *int64 { return &s.host.MemorySwap })},
	"memory-swappiness":     {set: pointer(func(s *shape) **int64 { return &s.host.MemorySwappiness })},
	"mount":                 {set: mounted},
	"name":                  {set: text(func(s *shape) *string { return &s.name })},
	"network":               {refuse: "the job's containers share a network of their own"},
	"net":                   {refuse: "the job's containers share a network of their own"},
	"network-alias":         {set: list(func(s *shape) *[]string { return &s.endpoint.Aliases })},
	"net-alias":             {set: list(func(s *shape) *[]string { return &s.endpoint.Aliases })},
	"no-healthcheck":        {bare: true, set: noHealth},
	"oom-kill-disable":      {bare: true, set: func(s *shape, v string) error { b, err := boolean(v); s.host.OomKillDisable = &b; return err }},
	"oom-score-adj":         {set: whole(func(s *shape) *int { return &s.host.OomScoreAdj })},
	"pid":                   {set: text(func(s *shape) *container.PidMode { return &s.host.PidMode })},
	"pids-limit":            {set: pointer(func(s *shape) **int64 { return &s.host.PidsLimit })},
	"platform":              {set: text(func(s *shape) *string { return &s.platform })},
	"privileged":            {bare: true, set: switched(func(s *shape) *bool { return &s.host.Privileged })},
	"publish":               {set: func(s *shape, v string) error { return s.publish(v) }},
	"publish-all":           {bare: true, set: switched(func(s *shape) *bool { return &s.host.PublishAllPorts })},
	"pull":                  {set: pulled},
	"quiet":                 {bare: true, set: nothing("quiet")},
	"read-only":             {bare: true, set: switched(func(s *shape) *bool { return &s.host.ReadonlyRootfs })},
	"restart":               {set: restart},
	"rm":                    {bare: true, set: nothing("rm")},
	"runtime":               {set: text(func(s *shape) *string { return &s.host.Runtime })},
	"security-opt":          {set: security},
	"shm-size":              {set: size(func(s *shape) *int64 { return &s.host.ShmSize })},
	"stop-signal":           {set: text(func(s *shape) *string { return &s.config.StopSignal })},
	"stop-timeout":          {set: pointer(func(s *shape) **int { return &s.config.StopTimeout })},
	"storage-opt":           {set: pair(func(s *shape) *map[string]string { return &s.host.StorageOpt })},
	"sysctl":                {set: pair(func(s *shape) *map[string]string { return &s.host.Sysctls })},
	"tmpfs":                 {set: tmpfs},
	"tty":                   {bare: true, set: nothing("tty")},
	"ulimit":                {set: ulimit},
	"user":                  {set: text(func(s *shape) *string { return &s.config.User })},
	"userns":                {set: text(func(s *shape) *container.UsernsMode { return &s.host.UsernsMode })},
	"uts":                   {set: text(func(s *shape) *container.UTSMode { return &s.host.UTSMode })},
	"volume":                {set: func(s *shape, v string) error { return s.volume(v) }},
	"volume-driver":         {set: text(func(s *shape) *string { return &s.host.VolumeDriver })},
	"volumes-from":          {set: list(func(s *shape) *[]string { return &s.host.VolumesFrom })},
	"workdir":               {set: text(func(s *shape) *string { return &s.config.WorkingDir })},
}
