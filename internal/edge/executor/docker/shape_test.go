package docker_test

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func TestWordsOfOptions(t *testing.T) {
	for line, want := range map[string][]string{
		"": nil, "  \n": nil, "a  b\nc\td": {"a", "b", "c", "d"}, `--health-cmd "redis-cli ping"`: {"--health-cmd", "redis-cli ping"},
		`--health-cmd="pg_isready -U \"me\""`: {`--health-cmd=pg_isready -U "me"`}, `'a b'"c d"e`: {"a bc de"}, `""`: {""}, `a\b\\c`: {`a\b\\c`},
		`"a\\" b`: {`a\`, "b"}, `"it's"`: {"it's"}, `\"a b\"`: {`"a`, `b"`},
	} {
		got, err := docker.Words(line)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"`, `a 'b`, `"a\"`} {
		if _, err := docker.Words(line); err == nil {
			t.Errorf("%q passed", line)
		}
	}
}

func TestOptions(t *testing.T) {
	config, host, binds, err := docker.Shape(plan.Container{
		Options: `--cpus 1.5 --memory=1g -m 512m --user 1001:1002 --health-cmd "pg_isready -U me" --health-interval 10s --health-timeout 5s --health-retries 5
			--hostname box --privileged --add-host db:10.0.0.1 --add-host=six:[::1] --tmpfs /run:size=64m --shm-size 2gb --ulimit nofile=10:20 --cap-add SYS_PTRACE
			--cap-drop ALL --device /dev/fuse:/dev/f:r --dns 1.1.1.1 --label a=b -l c -e A=1 --env "B=x y" -p8080:80 -v named:/n --init --read-only=false
			--stop-timeout 3 --pids-limit -1 --sysctl net.x=1 --security-opt seccomp=unconfined --expose 90 --group-add video -itP --entrypoint /x --mount type=tmpfs,target=/t`,
		Env: []plan.Variable{{Name: "B", Value: "own\nline"}}, Ports: []string{"53:53/udp", "7000-7001:17000-17001"}, Volumes: []string{"/data:/data:ro", "/only"},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	h := config.Healthcheck
	for what, ok := range map[string]bool{
		"cpus": host.NanoCPUs == 1500000000, "memory, the last": host.Memory == 512<<20, "user": config.User == "1001:1002", "hostname": config.Hostname == "box",
		"health":     h != nil && slices.Equal(h.Test, []string{"CMD-SHELL", "pg_isready -U me"}) && h.Interval == 10*time.Second && h.Timeout == 5*time.Second && h.Retries == 5,
		"privileged": host.Privileged, "hosts": slices.Equal(host.ExtraHosts, []string{"db:10.0.0.1", "six:::1"}), "tmpfs": host.Tmpfs["/run"] == "size=64m",
		"shm": host.ShmSize == 2<<30, "ulimit": len(host.Ulimits) == 1 && host.Ulimits[0].Hard == 20, "caps": slices.Equal(host.CapAdd, []string{"SYS_PTRACE"}) && slices.Equal(host.CapDrop, []string{"ALL"}),
		"device": len(host.Devices) == 1 && host.Devices[0].PathInContainer == "/dev/f" && host.Devices[0].CgroupPermissions == "r", "dns": len(host.DNS) == 1,
		"labels": config.Labels["a"] == "b" && len(config.Labels) == 2, "env, the file's last": slices.Equal(config.Env, []string{"A=1", "B=x y", "B=own\nline"}),
		"binds": slices.Equal(binds, []string{"/data:/data:ro", "named:/n:"}), "init": host.Init != nil && *host.Init, "read-only": !host.ReadonlyRootfs,
		"stop timeout": config.StopTimeout != nil && *config.StopTimeout == 3, "pids": host.PidsLimit != nil && *host.PidsLimit == -1, "sysctl": host.Sysctls["net.x"] == "1",
		"security": slices.Equal(host.SecurityOpt, []string{"seccomp=unconfined"}), "groups": slices.Equal(host.GroupAdd, []string{"video"}), "publish all": host.PublishAllPorts,
		"entrypoint": slices.Equal(config.Entrypoint, []string{"/x"}), "mounts": len(host.Mounts) == 2 && host.Mounts[0].Target == "/only" && host.Mounts[1].Target == "/t",
		"ports": ports(host.PortBindings) == "127.0.0.1:7000-17000/tcp 127.0.0.1:7001-17001/tcp 127.0.0.1:53-53/udp 127.0.0.1:8080-80/tcp", "exposed": len(config.ExposedPorts) == 5,
	} {
		if !ok {
			t.Errorf("%s: %+v\n%+v\n%q", what, config, host, binds)
		}
	}
}

func ports(m network.PortMap) string {
	var out []string
	for p, bindings := range m {
		for _, b := range bindings {
			out = append(out, b.HostIP.String()+":"+b.HostPort+"-"+p.String())
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[strings.Index(a, "-"):], b[strings.Index(b, "-"):]) })
	return strings.Join(out, " ")
}

func TestOptionsThatCannotBe(t *testing.T) {
	at := fault.Place{File: "ci.yml", Line: 9, Column: 4}
	for name, c := range map[string]struct {
		c    plan.Container
		code string
		want string
	}{
		"a network":                       {plan.Container{Options: "--network host"}, executor.CodeOption, "--network cannot be given"},
		"a network joined":                {plan.Container{Options: "--net=host"}, executor.CodeOption, "--net cannot be given"},
		"an entrypoint":                   {plan.Container{Options: "--entrypoint sh"}, executor.CodeOption, "--entrypoint cannot be given"},
		"a slip":                          {plan.Container{Options: "--heath-cmd x"}, executor.CodeOption, "did you mean --health-cmd?"},
		"a word":                          {plan.Container{Options: "evil/image --privileged"}, executor.CodeOption, `"evil/image" is not an option`},
		"the end of options":              {plan.Container{Options: "-- image"}, executor.CodeOption, "not an option"},
		"a letter":                        {plan.Container{Options: "-x"}, executor.CodeOption, `"-x" is not an option`},
		"no value":                        {plan.Container{Options: "--cpus"}, executor.CodeOption, "value is missing"},
		"an open quote":                   {plan.Container{Options: `--health-cmd "x`}, executor.CodeOption, "quote"},
		"cpus that are none":              {plan.Container{Options: "--cpus much"}, executor.CodeOption, "number of processors"},
		"memory that is none":             {plan.Container{Options: "--memory lots"}, executor.CodeOption, "--memory lots"},
		"a label of ours":                 {plan.Container{Options: "--label dev.sluice.owner=1"}, executor.CodeOption, "label"},
		"a file of variables":             {plan.Container{Options: "--env-file .env"}, executor.CodeOption, "env"},
		"a variable of this machine":      {plan.Container{Options: "-e HOME"}, executor.CodeOption, "HOME=value"},
		"a relative volume":               {plan.Container{Volumes: []string{"./data:/data"}}, executor.CodeVolume, "absolute"},
		"a volume up the tree":            {plan.Container{Volumes: []string{"../..:/data"}}, executor.CodeVolume, "absolute"},
		"a volume of the home":            {plan.Container{Volumes: []string{"~/x:/data"}}, executor.CodeVolume, "absolute"},
		"a relative volume in options":    {plan.Container{Options: "-v data/x:/data"}, executor.CodeOption, "absolute"},
		"a relative mount":                {plan.Container{Options: "--mount type=bind,source=x,target=/data"}, executor.CodeOption, "absolute"},
		"a relative target":               {plan.Container{Volumes: []string{"data:x"}}, executor.CodeVolume, "absolute"},
		"a volume over all":               {plan.Container{Volumes: []string{"data:/x/.."}}, executor.CodeVolume, "all of it"},
		"a volume of many parts":          {plan.Container{Volumes: []string{"a:/b:ro:/c"}}, executor.CodeVolume, "source:target"},
		"a mode":                          {plan.Container{Volumes: []string{"a:/b:exec"}}, executor.CodeVolume, "exec"},
		"a port":                          {plan.Container{Ports: []string{"eighty"}}, executor.CodePort, "port"},
		"a port too high":                 {plan.Container{Ports: []string{"80:70000"}}, executor.CodePort, "port"},
		"ranges of different lengths":     {plan.Container{Ports: []string{"80-82:90-91"}}, executor.CodePort, "equally long"},
		"an address that is none":         {plan.Container{Ports: []string{"here:80:80"}}, executor.CodePort, "address"},
		"a variable without a name":       {plan.Container{Env: []plan.Variable{{Value: "x"}}}, executor.CodeOption, "name"},
		"a variable with the end of text": {plan.Container{Env: []plan.Variable{{Name: "A", Value: "x\x00"}}}, executor.CodeOption, "NUL"},
	} {
		c.c.Place = at
		_, _, _, err := docker.Shape(c.c, true)
		e, ok := errors.AsType[*program.Error](err)
		if !ok || e.Failure != program.ConfigurationFailed || fault.CodeOf(err) != c.code || !strings.Contains(err.Error()+hint(err), c.want) || !strings.Contains(err.Error(), at.String()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hint(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Hint
	}
	return ""
}

func TestCredentialsOfTheFile(t *testing.T) {
	got, _ := base64.URLEncoding.DecodeString(docker.Login(plan.Container{Name: "ghcr.io/o/r", Username: "u", Password: `p"w`}))
	if !strings.Contains(string(got), `"password":"p\"w"`) || !strings.Contains(string(got), `"serveraddress":"ghcr.io"`) {
		t.Errorf("%s", got)
	}
	if got := docker.Login(plan.Container{Name: "ghcr.io/o/r", Username: "u"}); got != "" {
		t.Errorf("half of it: %s", got)
	}
}

func FuzzOptions(f *testing.F) {
	for _, seed := range []string{`--health-cmd "a b" -e X=1 -p 80`, `-it --privileged=maybe`, `--mount type=bind,source=/,target=/x -v a:/b`, `"`, `-m1g -l=`} {
		f.Add(seed, "8080:80/udp", "a:/b:ro")
	}
	f.Fuzz(func(t *testing.T, options, port, volume string) {
		for _, c := range []plan.Container{{Options: options}, {Ports: []string{port}}, {Volumes: []string{volume}}} {
			_, host, binds, err := docker.Shape(c, true)
			if err != nil && fault.CodeOf(err) == "" {
				t.Fatalf("no code: %v", err)
			}
			if host.NetworkMode != "" {
				t.Fatalf("%q chose the network %q", options, host.NetworkMode)
			}
			for _, b := range binds {
				if strings.HasPrefix(b, ".") || strings.HasPrefix(b, "~") || strings.Count(b, ":") != 2 {
					t.Fatalf("%q became the volume %q", volume, b)
				}
			}
		}
	})
}
