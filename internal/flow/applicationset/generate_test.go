package applicationset_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var repository = tree{
	"README.md":                                   "",
	".github/workflows/ci.yaml":                   "",
	"apps/guestbook/a.yaml":                       "",
	"apps/web_shop/a.yaml":                        "",
	"apps/web_shop/sub/b.yaml":                    "",
	"apps/.hidden/x.yaml":                         "",
	"apps/excluded/a.yaml":                        "",
	"cluster-config/engineering/dev/config.json":  `{"aws_account": "123456", "asset_id": 11223344, "cluster": {"owner": "o@x.y", "name": "engineering-dev", "address": "https://1.2.3.4"}, "list": ["a", {"b": true}]}`,
	"cluster-config/engineering/prod/config.json": `{"cluster": {"name": "engineering-prod"}}`,
	"cluster-config/many.yaml":                    "- {name: one}\n- {name: two}\n",
	"cluster-config/empty.yaml":                   "",
	"cluster-config/broken.yaml":                  "just text",
	"test/stage.values.yaml":                      "stageName: test\ncpuRequest: 100m\ndebugEnabled: true\n",
	"staging/stage.values.yaml":                   "stageName: staging\n",
	"production/stage.values.yaml":                "stageName: production\nmemoryLimit: 512Mi\ndebugEnabled: false\n",
	"global.values.yaml":                          "cpuRequest: 200m\nmemoryLimit: 256Mi\ndebugEnabled: true\n",
	"apps2/app-one.json":                          `{"appName": "app-one"}`,
	"apps2/app-two.json":                          `{"appName": "app-two"}`,
	"targets/app-one/east-cluster-one.json":       `{"region": "east", "clusterName": "cluster-one"}`,
	"targets/app-two/west-cluster-three.json":     `{"region": "west", "clusterName": "cluster-three"}`,
	"key.yaml": "key:\n  components:\n  - {name: c1, version: \"6.3.2\"}\n  - {name: c2, version: \"6.3.3\"}\n",
}

func TestGenerators(t *testing.T) {
	all := []applicationset.Cluster{staging, local, production}
	for _, c := range []struct{ name, spec, want string }{
		{
			"list", `{goTemplate: true, generators: [{list: {elements: [{cluster: dev, num: 3, deep: {a: [1]}}, {}]}}]}`,
			`{"cluster":"dev","deep":{"a":[1]},"num":3}
{}`,
		},
		{
			"list without Go templates takes texts and values", `{generators: [{list: {elements: [{cluster: dev, values: {additional: v}}]}}]}`,
			`{"cluster":"dev","values.additional":"v"}`,
		},
		{"a number without Go templates", `{generators: [{list: {elements: [{n: 3}]}}]}`, `! error parsing value as string`},
		{"elementsYaml", `{goTemplate: true, generators: [{list: {elements: [{a: "1"}], elementsYaml: "- a: 2\n- {b: [x]}"}}]}`, "{\"a\":\"1\"}\n{\"a\":2}\n{\"b\":[\"x\"]}"},
		{"elementsYaml that is none", `{goTemplate: true, generators: [{list: {elementsYaml: "a: 2"}}]}`, `! error unmarshling decoded ElementsYaml`},
		{
			"all clusters", `{goTemplate: true, generators: [{clusters: {values: {at: "{{.name}}!"}}}]}`,
			`{"name":"in-cluster","nameNormalized":"in-cluster","project":"","server":"https://kubernetes.default.svc","values":{"at":"in-cluster!"}}
{"metadata":{"labels":{"argocd.argoproj.io/secret-type":"cluster","environment":"prod","kubernetes.io/environment":"prod","location":"France","type":"production"}},"name":"production_eu","nameNormalized":"production-eu","project":"ops","server":"https://2.4.6.8","values":{"at":"production_eu!"}}
{"metadata":{"annotations":{"my-custom-annotation":"v7"},"labels":{"argocd.argoproj.io/kubernetes-version":"v1.28.1","argocd.argoproj.io/secret-type":"cluster","environment":"dev","kubernetes.io/environment":"dev","location":"Germany","staging":"true","type":"staging","use-kafka":"false"}},"name":"staging","nameNormalized":"staging","project":"","server":"https://1.2.3.4","values":{"at":"staging!"}}`,
		},
		{
			"clusters by a selector, without Go templates", `{generators: [{clusters: {selector: {matchLabels: {type: production}}, values: {at: "{{name}} {{metadata.labels.location}} {{none}}"}}}]}`,
			`{"metadata.labels.argocd.argoproj.io/secret-type":"cluster","metadata.labels.environment":"prod","metadata.labels.kubernetes.io/environment":"prod","metadata.labels.location":"France","metadata.labels.type":"production","name":"production_eu","nameNormalized":"production-eu","project":"ops","server":"https://2.4.6.8","values.at":"production_eu France {{none}}"}`,
		},
		{"a flat list", `{goTemplate: true, generators: [{clusters: {selector: {matchExpressions: [{key: type, operator: Exists}]}, flatList: true}}], template: {}}`, `# flat`},
		{"directories", `{goTemplate: true, generators: [{git: {repoURL: r, revision: HEAD, directories: [{path: apps/*}, {path: "apps/ex*", exclude: true}], values: {x: "{{.path.basename}}"}}}]}`, `{"path":{"basename":"guestbook","basenameNormalized":"guestbook","path":"apps/guestbook","segments":["apps","guestbook"]},"values":{"x":"guestbook"}}
{"path":{"basename":"web_shop","basenameNormalized":"web-shop","path":"apps/web_shop","segments":["apps","web_shop"]},"values":{"x":"web_shop"}}`},
		{"directories without Go templates", `{generators: [{git: {repoURL: r, revision: HEAD, directories: [{path: apps/*/sub}], pathParamPrefix: mine}}]}`, `{"mine.path":"apps/web_shop/sub","mine.path.basename":"sub","mine.path.basenameNormalized":"sub","mine.path[0]":"apps","mine.path[1]":"web_shop","mine.path[2]":"sub"}`},
		{"the root's directories", `{goTemplate: true, generators: [{git: {repoURL: r, revision: HEAD, directories: [{path: "*"}, {path: "[ckpst]*", exclude: true}]}}]}`, `{"path":{"basename":"apps","basenameNormalized":"apps","path":"apps","segments":["apps"]}}
{"path":{"basename":"apps2","basenameNormalized":"apps2","path":"apps2","segments":["apps2"]}}`},
		{"files", `{goTemplate: true, generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "cluster-config/**/config.json"}, {path: "cluster-config/*/prod/config.json", exclude: true}], values: {base: "{{index .path.segments 0}}/{{index .path.segments 1}}"}}}]}`, `{"asset_id":11223344,"aws_account":"123456","cluster":{"address":"https://1.2.3.4","name":"engineering-dev","owner":"o@x.y"},"list":["a",{"b":true}],"path":{"basename":"dev","basenameNormalized":"dev","filename":"config.json","filenameNormalized":"config.json","path":"cluster-config/engineering/dev","segments":["cluster-config","engineering","dev"]},"values":{"base":"cluster-config/engineering"}}`},
		{"files without Go templates", `{generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "cluster-config/engineering/dev/*"}]}}]}`, `{"asset_id":"1.1223344e+07","aws_account":"123456","cluster.address":"https://1.2.3.4","cluster.name":"engineering-dev","cluster.owner":"o@x.y","list.0":"a","list.1.b":"true","path":"cluster-config/engineering/dev","path.basename":"dev","path.basenameNormalized":"dev","path.filename":"config.json","path.filenameNormalized":"config.json","path[0]":"cluster-config","path[1]":"engineering","path[2]":"dev"}`},
		{"a file with a list and an empty one", `{goTemplate: true, generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "cluster-config/many.yaml"}, {path: "cluster-config/empty.yaml"}], pathParamPrefix: p}}]}`, `{"p":{"path":{"basename":"cluster-config","basenameNormalized":"cluster-config","filename":"empty.yaml","filenameNormalized":"empty.yaml","path":"cluster-config","segments":["cluster-config"]}}}
{"name":"one","p":{"path":{"basename":"cluster-config","basenameNormalized":"cluster-config","filename":"many.yaml","filenameNormalized":"many.yaml","path":"cluster-config","segments":["cluster-config"]}}}
{"name":"two","p":{"path":{"basename":"cluster-config","basenameNormalized":"cluster-config","filename":"many.yaml","filenameNormalized":"many.yaml","path":"cluster-config","segments":["cluster-config"]}}}`},
		{"a file that is neither", `{goTemplate: true, generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "cluster-config/broken.yaml"}]}}]}`, `! unable to process file 'cluster-config/broken.yaml' from repository 'r': unable to parse file`},
		{"neither directories nor files", `{generators: [{git: {repoURL: r, revision: HEAD}}]}`, `! ApplicationSet is empty`},
		{"a bad pattern", `{generators: [{git: {repoURL: r, revision: HEAD, directories: [{path: "a["}]}}]}`, `! syntax error in pattern`},

		{"matrix overrides with the first", `{goTemplate: true, generators: [{matrix: {generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "**/stage.values.yaml"}], pathParamPrefix: s}}, {git: {repoURL: r, revision: HEAD, files: [{path: global.values.yaml}], pathParamPrefix: g}}]}}]}`, `# matrix`},
		{"matrix fills the second", `{goTemplate: true, generators: [{matrix: {generators: [{git: {repoURL: r, revision: HEAD, files: [{path: "apps2/*.json"}], pathParamPrefix: app}}, {git: {repoURL: r, revision: HEAD, files: [{path: "targets/{{.appName}}/*.json"}], pathParamPrefix: target, values: {to: "{{.appName}}", at: "{{.region}}"}}}]}}]}`, `# targets`},
		{"matrix with elementsYaml", `{goTemplate: true, goTemplateOptions: [missingkey=error], generators: [{matrix: {generators: [{git: {repoURL: r, revision: HEAD, files: [{path: key.yaml}]}}, {list: {elementsYaml: "{{ .key.components | toJson }}"}}]}}]}`, `# elements`},
		{"matrix selects clusters by parameters", `{goTemplate: true, generators: [{matrix: {generators: [{list: {elements: [{env: prod}, {env: dev}]}}, {clusters: {selector: {matchLabels: {kubernetes.io/environment: "{{.env}}"}}}}]}}], template: {}}`, `# clusters`},
		{"matrix without Go templates", `{generators: [{matrix: {generators: [{list: {elements: [{a: "1", b: x}]}}, {list: {elements: [{c: "{{a}}{{c}}", b: x}]}}]}}]}`, `{"a":"1","b":"x","c":"1{{c}}"}`},
		{"matrix with a conflict", `{generators: [{matrix: {generators: [{list: {elements: [{b: x}]}}, {list: {elements: [{b: z}]}}]}}]}`, `! found duplicate key b with different value, a: x ,b: z`},
		{"matrix of three", `{generators: [{matrix: {generators: [{list: {}}, {list: {}}, {list: {}}]}}]}`, `! found more than two generators, Matrix support only two`},
		{"matrix of one", `{generators: [{matrix: {generators: [{list: {}}]}}]}`, `! found less than two generators, Matrix support only two`},
		{"matrix with two in one entry", `{generators: [{matrix: {generators: [{list: {}, clusters: {}}, {list: {}}]}}]}`, `! found more than one generator in matrix.Generators`},
		{"matrix in a matrix", `{goTemplate: true, generators: [{matrix: {generators: [{list: {elements: [{a: 1}]}}, {matrix: {generators: [{list: {elements: [{b: "{{.a}}"}]}}, {list: {elements: [{c: "x{{.a}}"}]}}]}}]}}]}`, `{"a":1,"b":"1","c":"x1"}`},
		{"combinations nested twice", `{generators: [{matrix: {generators: [{list: {}}, {merge: {mergeKeys: [a], generators: [{list: {}}, {matrix: {generators: [{list: {}}, {list: {}}]}}]}}]}}]}`, `! matrix and merge generators can be nested once only`},

		{"merge", `{generators: [{merge: {mergeKeys: [server], generators: [{list: {elements: [{server: a, values: {kafka: "true", redis: "false"}}, {server: b, values: {kafka: "true", redis: "false"}}]}}, {list: {elements: [{server: a, values: {kafka: "false"}}]}}, {list: {elements: [{server: b, values.redis: "true"}, {server: c}]}}]}}]}`, `{"server":"a","values.kafka":"false","values.redis":"false"}
{"server":"b","values.kafka":"true","values.redis":"true"}`},
		{"merge with Go templates is deep", `{goTemplate: true, generators: [{merge: {mergeKeys: [s], generators: [{list: {elements: [{s: a, v: {x: 1, z: 2}, l: [1]}]}}, {list: {elements: [{s: a, v: {z: 3}, l: []}]}}]}}]}`, `{"l":[1],"s":"a","v":{"x":1,"z":3}}`},
		{"merge keys that are not unique", `{generators: [{merge: {mergeKeys: [s], generators: [{list: {elements: [{s: a}, {s: a, t: b}]}}, {list: {}}]}}]}`, `! the parameters from a generator were not unique by the given mergeKeys, Merge requires all param sets to be unique. Duplicate key was {"s":"a"}`},
		{"merge without keys", `{generators: [{merge: {generators: [{list: {}}, {list: {}}]}}]}`, `! no merge keys were specified, Merge requires at least one`},
		{"merge of one", `{generators: [{merge: {mergeKeys: [a], generators: [{list: {}}]}}]}`, `! found less than two generators, Merge requires two or more`},

		{"a selector", `{generators: [{list: {elements: [{cluster: dev, env: staging}, {cluster: prod, env: prod}]}, selector: {matchLabels: {env: staging}}}]}`, `{"cluster":"dev","env":"staging"}`},
		{"a selector over nested values, URLs too", `{goTemplate: true, generators: [{list: {elements: [{c: {url: "https://a.b/c?d"}}, {c: {url: x}}, {d: 1}]}, selector: {matchExpressions: [{key: c.url, operator: In, values: ["https://a.b/c?d"]}]}}]}`, `{"c":{"url":"https://a.b/c?d"}}`},
		{"NotIn, Exists, DoesNotExist", `{generators: [{list: {elements: [{a: "1"}, {a: "2"}, {a: "3", b: x}, {b: z}]}, selector: {matchExpressions: [{key: a, operator: Exists}, {key: b, operator: DoesNotExist}, {key: a, operator: NotIn, values: ["2"]}]}}]}`, `{"a":"1"}`},
		{"a selector of a nested generator", `{generators: [{matrix: {generators: [{list: {elements: [{a: "1"}, {a: "2"}]}, selector: {matchLabels: {a: "2"}}}, {list: {elements: [{b: "1"}]}}]}}]}`, `{"a":"2","b":"1"}`},
		{"a selector over cluster labels", `{goTemplate: true, generators: [{clusters: {}, selector: {matchLabels: {metadata.labels.type: production}}}], template: {}}`, `# production`},
		{"a wrong operator", `{generators: [{list: {}, selector: {matchExpressions: [{key: a, operator: Near}]}}]}`, `! error parsing label selector: "Near" is not a valid pod selector operator`},

		{"plugin", `{generators: [{plugin: {configMapRef: {name: x}}}]}`, `! the generator plugin is not supported`},
		{"clusterDecisionResource in a matrix", `{generators: [{matrix: {generators: [{list: {}}, {clusterDecisionResource: {configMapRef: x}}]}}]}`, `! the generator clusterDecisionResource is not supported`},
		{"another provider", `{generators: [{list: {elements: [{a: b}]}}, {scmProvider: {azureDevOps: {organization: x}}}]}`, `! the generator scmProvider.azureDevOps is not supported`},
		{"another provider of pull requests", `{generators: [{pullRequest: {bitbucketServer: {project: x}}}]}`, `! the generator pullRequest.bitbucketServer is not supported`},
		{"a generator of tomorrow", `{generators: [{crystalBall: {}}]}`, `! the generator crystalBall is not supported`},
		{"a template that fails in values", `{goTemplate: true, goTemplateOptions: [missingkey=error], generators: [{clusters: {values: {x: "{{.nothing}}"}}}]}`, `! map has no entry for key "nothing"`},
		{"an option that is none", `{goTemplate: true, goTemplateOptions: [missingkey=bogus], generators: [{clusters: {}}]}`, `! goTemplateOptions: "missingkey=bogus" is no option`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := decode(t, "{kind: ApplicationSet, apiVersion: argoproj.io/v1alpha1, spec: "+c.spec+"}")
			got, err := generated(t, s, world(all, repository))
			switch {
			case strings.HasPrefix(c.want, "! "):
				if err == nil || !strings.Contains(err.Error(), c.want[2:]) {
					t.Errorf("%v\nwant %s", err, c.want)
				}
			case err != nil:
				t.Error(err)
			case strings.HasPrefix(c.want, "# "):
				if want := special[c.want]; !slices.Equal(short(got), want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(short(got), "\n"), strings.Join(want, "\n"))
				}
			case !slices.Equal(got, lines(c.want)):
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

// short leaves out the paths of long sets.
func short(all []string) []string {
	var out []string
	for _, s := range all {
		var parts []string
		if i := strings.Index(s, `"key":`); i >= 0 { // the whole list that the elements are of
			s = s[:i] + s[strings.Index(s, "]}")+3:]
		}
		for _, p := range strings.Split(strings.Trim(s, "{}"), `,"`) {
			if k := strings.Trim(strings.SplitN(p, ":", 2)[0], `"`); slices.Contains([]string{"appName", "region", "clusterName", "values", "stageName", "cpuRequest", "memoryLimit", "debugEnabled", "env", "name", "version", "to"}, k) {
				parts = append(parts, `"`+strings.Trim(p, `"{}`))
			}
		}
		out = append(out, strings.ReplaceAll(strings.Join(parts, " "), `"`, ""))
	}
	return out
}

// special are the results of the tables in the documentation.
var special = map[string][]string{
	"# matrix": {
		"cpuRequest:200m debugEnabled:false memoryLimit:512Mi stageName:production",
		"cpuRequest:200m debugEnabled:true memoryLimit:256Mi stageName:staging",
		"cpuRequest:100m debugEnabled:true memoryLimit:256Mi stageName:test",
	},
	"# targets": {
		"appName:app-one clusterName:cluster-one region:east values:{at:east to:app-one",
		"appName:app-two clusterName:cluster-three region:west values:{at:west to:app-two",
	},
	"# elements":   {"name:c1 version:6.3.2", "name:c2 version:6.3.3"},
	"# clusters":   {"env:prod name:production_eu", "env:dev name:staging"},
	"# production": {"name:production_eu"},
	"# flat":       {"name:production_eu name:staging"},
}

func TestForges(t *testing.T) {
	pulls := []applicationset.Pull{
		{Number: 7, Title: "feat: öl", Branch: "feature/Öl_kanne-argocd", Target: "main", HeadSHA: "0123456789abcdef", Author: "ann", Labels: []string{"preview", "x"}},
		{Number: 8, Title: "fix: y", Branch: "fix", Target: "release", HeadSHA: "012345", Author: "bob"},
	}
	looked := 0
	repos := []applicationset.Repository{
		{Organization: "org", Name: "myapp-one", URL: "git@x:org/myapp-one", Branch: "main", SHA: "0123456789", ID: 5, Labels: []string{"deploy-ok", "b"}},
		{Organization: "org", Name: "myapp-one", URL: "git@x:org/myapp-one", Branch: "Feature/X", SHA: "0123456789", ID: 5, Labels: []string{"deploy-ok", "b"}},
		{Organization: "org", Name: "otherapp", URL: "git@x:org/otherapp", Branch: "main", SHA: "0", ID: 6},
	}
	for i := range repos {
		repos[i].Exists = func(p string) (bool, error) {
			looked++
			return p == "kubernetes/kustomization.yaml" && repos[i].Branch == "main" || p == "helm", nil
		}
	}
	w := applicationset.World{
		PullRequests: func(p applicationset.PullRequest) ([]applicationset.Pull, error) {
			if p.GitHub.Text("repo") == "gone" {
				return nil, errors.Join(errors.New("404"), applicationset.ErrNoRepository)
			}
			return pulls, nil
		},
		Repositories: func(_ applicationset.SCMProvider, keep func(string, []string) bool) ([]applicationset.Repository, error) {
			var out []applicationset.Repository
			for _, r := range repos {
				if keep(r.Name, r.Labels) {
					out = append(out, r)
				}
			}
			return out, nil
		},
	}
	for _, c := range []struct{ name, spec, want string }{
		{"pull requests", `{goTemplate: true, generators: [{pullRequest: {github: {owner: o, repo: r}, values: {v: "pr-{{.number}}"}}}]}`, `{"author":"ann","branch":"feature/Öl_kanne-argocd","branch_slug":"feature-ol-kanne-argocd","head_sha":"0123456789abcdef","head_short_sha":"01234567","head_short_sha_7":"0123456","labels":["preview","x"],"number":"7","target_branch":"main","target_branch_slug":"main","title":"feat: öl","values":{"v":"pr-7"}}
{"author":"bob","branch":"fix","branch_slug":"fix","head_sha":"012345","head_short_sha":"012345","head_short_sha_7":"012345","labels":null,"number":"8","target_branch":"release","target_branch_slug":"release","title":"fix: y","values":{"v":"pr-8"}}`},
		{"filtered", `{generators: [{pullRequest: {gitlab: {project: p}, filters: [{branchMatch: ".*-argocd", targetBranchMatch: other}, {titleMatch: "^fix:"}]}}]}`, `{"author":"bob","branch":"fix","branch_slug":"fix","head_sha":"012345","head_short_sha":"012345","head_short_sha_7":"012345","number":"8","target_branch":"release","target_branch_slug":"release","title":"fix: y"}`},
		{"a bad filter", `{generators: [{pullRequest: {gitlab: {project: p}, filters: [{branchMatch: "("}]}}]}`, `! error compiling BranchMatch regexp "("`},
		{"no repository", `{generators: [{pullRequest: {github: {owner: o, repo: gone}}}]}`, `! error listing repos: 404`},
		{"no repository, on purpose", `{generators: [{pullRequest: {github: {owner: o, repo: gone}, continueOnRepoNotFoundError: true}}]}`, ``},
		{"no provider", `{generators: [{pullRequest: {}}]}`, `! no Pull Request provider implementation configured`},
		{"repositories", `{generators: [{scmProvider: {github: {organization: org}, filters: [{repositoryMatch: ^myapp, pathsExist: [kubernetes/kustomization.yaml], labelMatch: deploy-ok}, {repositoryMatch: ^otherapp, pathsExist: [helm/], pathsDoNotExist: [disabledrepo.txt]}], values: {name: "{{organization}}-{{repository}}"}}}]}`, `{"branch":"main","branchNormalized":"main","labels":"deploy-ok,b","organization":"org","repository":"myapp-one","repository_id":5,"sha":"0123456789","short_sha":"01234567","short_sha_7":"0123456","url":"git@x:org/myapp-one","values.name":"org-myapp-one"}
{"branch":"main","branchNormalized":"main","labels":"","organization":"org","repository":"otherapp","repository_id":6,"sha":"0","short_sha":"0","short_sha_7":"0","url":"git@x:org/otherapp","values.name":"org-otherapp"}`},
		{"branches", `{generators: [{scmProvider: {gitea: {owner: org}, filters: [{branchMatch: "^Feat"}]}}]}`, `{"branch":"Feature/X","branchNormalized":"feature-x","labels":"deploy-ok,b","organization":"org","repository":"myapp-one","repository_id":5,"sha":"0123456789","short_sha":"01234567","short_sha_7":"0123456","url":"git@x:org/myapp-one"}`},
		{"a protocol", `{generators: [{scmProvider: {gitea: {owner: org}, cloneProtocol: ftp}}]}`, `! unknown clone protocol`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := generated(t, decode(t, "{kind: ApplicationSet, spec: "+c.spec+"}"), w)
			if strings.HasPrefix(c.want, "! ") {
				if err == nil || !strings.Contains(err.Error(), c.want[2:]) {
					t.Errorf("%v\nwant %s", err, c.want)
				}
				return
			}
			if err != nil || strings.Join(got, "\n") != c.want {
				t.Errorf("%v\ngot\n%s\nwant\n%s", err, strings.Join(got, "\n"), c.want)
			}
		})
	}
	if looked == 0 {
		t.Error("no path was looked for")
	}
}

// Whatever fails, the error is told with a code and no set of parameters is given, so that nothing is removed.
func TestAFailingGeneratorGivesNothing(t *testing.T) {
	s := decode(t, `{kind: ApplicationSet, spec: {generators: [{list: {elements: [{a: b}]}}, {git: {repoURL: r, revision: x, directories: [{path: "*"}]}}]}}`)
	w := world(nil, nil)
	w.Tree = func(string, string, string) (applicationset.Tree, error) {
		return nil, errors.New("connection refused")
	}
	got, err := applicationset.Generate(s, w)
	if got != nil || fault.CodeOf(err) != applicationset.CodeGenerate || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v %v", got, err)
	}
}

// Credentials of a project are only used where the project is none that a parameter could name.
func TestTheProjectOfATree(t *testing.T) {
	for project, want := range map[string]string{"ops": "ops", "{{.x}}": ""} {
		s := decode(t, `{kind: ApplicationSet, spec: {generators: [{git: {repoURL: r, revision: x, directories: [{path: "*"}]}}], template: {spec: {project: "`+project+`"}}}}`)
		asked := "none"
		w := world(nil, nil)
		w.Tree = func(_, _, p string) (applicationset.Tree, error) { asked = p; return tree{}, nil }
		if _, err := applicationset.Generate(s, w); err != nil || asked != want {
			t.Errorf("%s: asked for %q: %v", project, asked, err)
		}
	}
}

func TestGlobbing(t *testing.T) {
	files := tree{"a/x.yaml": "", "a/b/x.yaml": "", "a/b/c/x.yaml": "", "a/b/y.json": "", "x.yaml": "", "a-z/[q].yaml": ""}
	for _, c := range []struct {
		pattern  string
		old, new string
	}{
		{"a/*/x.yaml", "a/b/c/x.yaml a/b/x.yaml", "a/b/x.yaml"},
		{"a/*.yaml", "a/b/c/x.yaml a/b/x.yaml a/x.yaml", "a/x.yaml"},
		{"**/x.yaml", "a/b/c/x.yaml a/b/x.yaml a/x.yaml", "a/b/c/x.yaml a/b/x.yaml a/x.yaml x.yaml"},
		{"a/**/x.yaml", "a/b/c/x.yaml a/b/x.yaml", "a/b/c/x.yaml a/b/x.yaml a/x.yaml"},
		{"a/b", "a/b/c/x.yaml a/b/x.yaml a/b/y.json", ""},
		{"a/?/y.json", "a/b/y.json", "a/b/y.json"},
		{"[!a]*", "x.yaml", "x.yaml"},
		{"a-z/\\[q].yaml", "a-z/[q].yaml", "a-z/[q].yaml"},
		{"a/b/{x.yaml,y.json}", "", "a/b/x.yaml a/b/y.json"},
	} {
		for _, anew := range []bool{false, true} {
			s := decode(t, `{kind: ApplicationSet, spec: {goTemplate: true, generators: [{git: {repoURL: r, revision: x, files: [{path: '`+c.pattern+`'}]}}]}}`)
			w := world(nil, files)
			w.NewGlobbing = anew
			all, err := applicationset.Generate(s, w)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range all {
				at := p.Values["path"].(map[string]any)
				got = append(got, strings.TrimPrefix(at["path"].(string)+"/"+at["filename"].(string), "./"))
			}
			want := c.old
			if anew {
				want = c.new
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s new=%v: %v, want %s", c.pattern, anew, got, want)
			}
		}
	}
}
