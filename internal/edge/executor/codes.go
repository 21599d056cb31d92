package executor

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of the executors.
const (
	CodeNoShell     = "SL2001" // no bash and no sh
	CodeEnvironment = "SL2002" // too much environment for the system
	CodeWorkspace   = "SL2003" // a folder of the job cannot be made or written
	CodeStart       = "SL2004" // a process cannot be started
	CodeLeft        = "SL2005" // processes could not be stopped
	CodeFolder      = "SL2006" // a step asks for a folder outside of its project
	CodeEngine      = "SL2010" // no container engine answers
	CodeImage       = "SL2011" // an image cannot be had
	CodeContainer   = "SL2012" // a container cannot be made or started
	CodeService     = "SL2013" // a service does not come up
	CodePolicy      = "SL2014" // an unknown pull policy
	CodeRemoteHost  = "SL2015" // the engine is on another machine
	CodeProgram     = "SL2030" // a program that a step names is not there
	CodeOption      = "SL2016" // an option of a container that is not understood or not allowed
	CodeVolume      = "SL2017" // a volume that cannot be had
	CodePort        = "SL2018" // a port that cannot be published
	CodeUnhealthy   = "SL2019" // a service's own check says that it does not work
	CodeBuild       = "SL2020" // an action's image cannot be built
	CodeNode        = "SL2021" // no Node in the container, and this machine's does not run there
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeNoShell, Summary: "no shell was found",
		Text: "Jobs run in bash, or in sh where there is no bash, as GitLab's runner does it. Neither was found on this machine or in the job's image.",
	},
	{
		Code: CodeEnvironment, Summary: "the variables of a job are too large",
		Text: "The system starts no process whose environment is larger than a few MiB in all, or that has one variable of more than 128 KiB (Linux). Give large values as a variable of type file, or keep them in the repository or an artifact.",
	},
	{
		Code: CodeWorkspace, Summary: "a folder of the job cannot be written",
		Text: "The folder for workspaces is full, read-only, or belongs to another user. `sluice clean` frees what earlier runs kept.",
	},
	{
		Code: CodeStart, Summary: "the shell of a job cannot be started",
		Text: "The system refused to start a process: too many processes or open files, or a shell that is no program.",
	},
	{
		Code: CodeLeft, Summary: "processes of a job could not be stopped",
		Text: "A job's processes are stopped when it ends. These belong to another user (sudo, a set-user-id program), so this user cannot stop them.",
	},
	{
		Code: CodeFolder, Summary: "a step asks for a folder outside of its project",
		Text: "A step's working folder is relative to the project folder and stays inside it, or is an absolute path in the project folder or the job's folder for temporary files. A step's commands may `cd` wherever they like.",
	},
	{
		Code: CodeEngine, Summary: "no container engine answers",
		Text: "Jobs with an image need a Docker engine (or one that speaks its API, such as Podman). Start it, set DOCKER_HOST, or let the jobs run on this machine: `sluice run --executor shell`.",
	},
	{
		Code: CodeImage, Summary: "an image cannot be had",
		Text: "The pull policies of the job were tried in order and none gave the image. The default here is if-not-present: an image that this machine has is used as it is. `pull_policy: always` asks the registry every time, `never` not at all.",
		Page: "CI/CD YAML syntax reference, image:pull_policy",
	},
	{
		Code: CodeContainer, Summary: "a container cannot be started",
		Text: "The engine's own words stand in the message. Often the image's entrypoint is the reason: it must run the shell that it is given, or be replaced by `image: {name: …, entrypoint: [\"\"]}`.",
		Page: "CI/CD YAML syntax reference, image:entrypoint",
	},
	{
		Code: CodeService, Summary: "a service does not come up",
		Text: "The service's container ended, or nothing listens on the port that its image exposes. The job runs all the same, as on GitLab; it will fail if it needs the service. The service's own output is shown.",
		Page: "Services",
	},
	{
		Code: CodePolicy, Summary: "an unknown pull policy",
		Text: "The pull policies are always, if-not-present and never.",
		Page: "CI/CD YAML syntax reference, image:pull_policy",
	},
	{
		Code: CodeRemoteHost, Summary: "the engine is on another machine",
		Text: "Jobs work in folders of this machine that the engine brings into their containers. An engine on another machine does not see them.",
	},
	{
		Code: CodeOption, Summary: "an option of a container cannot be taken",
		Text: "`options` of a job's container or service holds flags of `docker create`, and nothing else. Flags that it does not know are refused, and so are --network and, for the job's own container, --entrypoint, as on GitHub. Put double quotes around values with blanks.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.container.options",
	},
	{
		Code: CodeVolume, Summary: "a volume of a container cannot be had",
		Text: "A volume is source:target with an absolute path or a volume's name as its source, or a target alone. Volumes with a name are made for the job and removed with it, as on a fresh runner; the volumes of this machine that bear the same name are not touched.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.container.volumes",
	},
	{
		Code: CodePort, Summary: "a port of a container cannot be published",
		Text: "A port is 80, 8080:80, 8080:80/udp or 127.0.0.1:8080:80. Ports that name no address are published on the loopback address of this machine only. A port that another program holds cannot be taken: give only the container's port, and ask `job.services.<name>.ports` for the one that was free.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.services.<service_id>.ports",
	},
	{
		Code: CodeUnhealthy, Summary: "a service is not healthy",
		Text: "The service has a health check (of its image, or --health-cmd in its options) and the check has failed as often as it may. The job ends, as on GitHub. The service's own output is shown.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.services.<service_id>.options",
	},
	{
		Code: CodeBuild, Summary: "the image of a Docker action cannot be built",
		Text: "The action's Dockerfile is built by the engine; what it said is shown above. A Dockerfile that needs BuildKit (RUN --mount, COPY --chmod, here-documents) is built by the docker command with its buildx plugin, where this machine has both.",
		Page: "Dockerfile support for GitHub Actions",
	},
	{
		Code: CodeNode, Summary: "there is no Node for JavaScript actions in the container",
		Text: "JavaScript actions run in the job's container with its own node, else with the one of this machine, which is brought in. Neither runs there. Use an image that has node, or install Node on this machine.",
		Page: "About custom actions",
	},
	{
		Code: CodeProgram, Summary: "a program that a step names is not there",
		Text: "A step names the program that runs it: a shell of its own (`shell: pwsh`), or the node of a JavaScript action. It is looked for in the PATH that the step has, and was not found there. Install it, or let the job run in an image that has it.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.steps[*].shell",
	},
}
