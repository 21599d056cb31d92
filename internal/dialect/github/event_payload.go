package github

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// object is a JSON object on its way.
type object = map[string]any

// payload makes up what GitHub would have sent.
func (e *Event) payload(inputs map[string]string) []byte {
	p := object{"repository": e.repository(), "sender": e.person()}
	if e.Action != "" {
		p["action"] = e.Action
	}
	if e.Action == "labeled" || e.Action == "unlabeled" {
		name := "bug"
		if m := e.o.Merge; m != nil && len(m.Labels) > 0 {
			name = m.Labels[0]
		}
		p["label"] = label(e, name)
	}
	switch e.Name {
	case "push":
		e.push(p)
	case "create", "delete":
		p["ref"], p["ref_type"], p["pusher_type"] = e.RefName, e.RefType, "user"
		p["master_branch"], p["description"] = e.o.Repository.DefaultBranch, nil
	case "pull_request", "pull_request_target":
		p["number"], p["pull_request"] = e.Number(), e.pullRequest()
		if e.Action == "synchronize" {
			p["before"], p["after"] = first(e.o.Before, zero), e.o.Commit.SHA
		}
	case "pull_request_review":
		p["pull_request"] = e.pullRequest()
		p["review"] = object{"id": e.id("review"), "state": "approved", "body": "", "user": e.person(), "submitted_at": e.stamp(), "commit_id": e.o.Commit.SHA}
	case "pull_request_review_comment":
		p["pull_request"] = e.pullRequest()
		p["comment"] = e.comment()
	case "schedule":
		p["schedule"] = first(e.made.cron, "0 0 * * *")
		delete(p, "sender")
	case "workflow_dispatch":
		p["ref"], p["workflow"], p["inputs"] = e.Ref, e.made.workflow, texts(inputs)
	case "repository_dispatch":
		p["branch"], p["client_payload"] = e.o.Repository.DefaultBranch, object{}
		p["action"] = first(e.Action, "sluice")
	default:
		e.others(p)
	}
	// Nothing in it can fail: it holds text, numbers, booleans, lists and objects.
	out, _ := json.Marshal(p)
	return out
}

// others are the events that are seldom played.
func (e *Event) others(p object) {
	switch e.Name {
	case "issues":
		p["issue"] = e.issue()
	case "issue_comment":
		p["issue"], p["comment"] = e.issue(), e.comment()
	case "label":
		p["label"] = label(e, "bug")
	case "milestone":
		p["milestone"] = object{"id": e.id("milestone"), "number": 1, "title": "1.0", "state": "open", "description": ""}
	case "discussion", "discussion_comment":
		p["discussion"] = object{"id": e.id("discussion"), "number": 1, "title": e.o.Commit.Title, "body": "", "state": "open", "user": e.person(), "html_url": e.web("discussions/1"), "category": object{"name": "General", "slug": "general"}}
		if e.Name == "discussion_comment" {
			p["comment"] = e.comment()
		}
	case "release":
		p["release"] = object{
			"id": e.id("release"), "tag_name": e.RefName, "name": e.RefName, "target_commitish": e.o.Repository.DefaultBranch,
			"draft": false, "prerelease": e.Action == "prereleased", "body": said(e.o.TagMessage), "author": e.person(), "assets": []any{},
			"created_at": e.stamp(), "published_at": e.stamp(), "html_url": e.web("releases/tag/" + e.RefName),
			"tarball_url": e.api("tarball/" + e.RefName), "zipball_url": e.api("zipball/" + e.RefName), "upload_url": e.api("releases/1/assets{?name,label}"),
		}
	case "workflow_run":
		p["workflow"] = object{"id": e.id("workflow"), "name": e.made.workflow, "path": "", "state": "active"}
		p["workflow_run"] = e.workflowRun()
	case "merge_group":
		p["merge_group"] = object{
			"head_sha": e.SHA, "head_ref": e.Ref, "base_ref": "refs/heads/" + e.BaseRef,
			"base_sha": first(e.o.Before, zero), "head_commit": e.commit(),
		}
	case "check_run":
		p["check_run"] = object{"id": e.id("check"), "name": "check", "head_sha": e.SHA, "status": "completed", "conclusion": "success", "check_suite": e.suite(), "pull_requests": []any{}}
	case "check_suite":
		p["check_suite"] = e.suite()
	case "deployment", "deployment_status":
		p["deployment"] = object{"id": e.id("deployment"), "sha": e.SHA, "ref": e.RefName, "task": "deploy", "environment": "production", "payload": object{}, "creator": e.person(), "description": nil}
		if e.Name == "deployment_status" {
			p["deployment_status"] = object{"id": e.id("deployment status"), "state": "success", "environment": "production", "creator": e.person(), "target_url": "", "description": ""}
		}
	case "status":
		p["sha"], p["state"], p["context"], p["description"] = e.SHA, "success", "default", nil
		p["commit"], p["branches"] = object{"sha": e.SHA, "commit": e.commit()}, []any{object{"name": e.RefName, "commit": object{"sha": e.SHA}}}
	case "registry_package":
		p["registry_package"] = object{"id": e.id("package"), "name": e.name(), "package_type": "CONTAINER", "owner": e.owner(), "package_version": object{"id": 1, "version": "1.0.0", "target_oid": e.SHA, "container_metadata": object{"tag": object{"name": e.RefName}}}}
	case "fork":
		p["forkee"] = e.repository()
	case "gollum":
		p["pages"] = []any{object{"page_name": "Home", "title": "Home", "action": "edited", "sha": e.SHA}}
	case "branch_protection_rule":
		p["rule"] = object{"id": 1, "name": e.o.Repository.DefaultBranch}
	case "workflow_call":
		e.push(p)
	}
}

// push is a push of a branch or tag.
func (e *Event) push(p object) {
	before := first(e.o.Before, zero)
	if e.RefType == "tag" {
		before = zero
	}
	p["ref"], p["before"], p["after"] = e.Ref, before, e.SHA
	p["created"], p["deleted"], p["forced"] = before == zero, false, false
	p["base_ref"] = nil
	p["compare"] = e.web("compare/" + short(before) + "..." + short(e.SHA))
	if before == zero {
		p["compare"] = e.web("commit/" + e.SHA)
	}
	p["head_commit"], p["commits"] = e.commit(), []any{e.commit()}
	if e.RefType == "tag" {
		p["commits"] = []any{}
	}
	p["pusher"] = object{"name": e.Actor(), "email": e.o.Actor.Email}
}

func short(sha string) string { return sha[:min(12, len(sha))] }

// said is a message as GitHub tells it: without the line end that git puts after it.
func said(message string) string { return strings.TrimRight(message, "\n") }

func (e *Event) commit() object {
	c := e.o.Commit
	author := object{
		"name": first(c.Author.Name, e.o.Actor.Name, e.Actor()), "email": first(c.Author.Email, e.o.Actor.Email),
		"username": first(c.Author.Login, e.Actor()), "date": when(c.At, e.o.At),
	}
	return object{
		"id": first(c.SHA, zero), "tree_id": zero, "distinct": true, "message": said(first(c.Message, c.Title)), "timestamp": when(c.At, e.o.At),
		"url": e.web("commit/" + c.SHA), "author": author, "committer": author,
	}
}

func (e *Event) pullRequest() object {
	n := e.Number()
	m := event.Merge{Target: e.BaseRef}
	if e.o.Merge != nil {
		m = *e.o.Merge
	}
	labels := []any{}
	for _, name := range m.Labels {
		labels = append(labels, label(e, name))
	}
	side := func(ref, sha string) object {
		return object{"ref": ref, "sha": sha, "label": e.owner()["login"].(string) + ":" + ref, "user": e.owner(), "repo": e.repository()}
	}
	url := e.web("pull/" + strconv.Itoa(n))
	closed := e.Action == "closed"
	return object{
		"id": e.id("pull"), "number": n, "title": first(m.Title, e.o.Commit.Title), "body": said(e.o.Commit.Message),
		"state": map[bool]string{true: "closed", false: "open"}[closed], "locked": false, "draft": m.Draft, "merged": false, "mergeable": true,
		"merged_at": nil, "merged_by": nil, "merge_commit_sha": e.o.Commit.SHA, "rebaseable": true, "mergeable_state": "clean",
		"head": side(e.HeadRef, e.o.Commit.SHA), "base": side(e.BaseRef, first(m.TargetSHA, m.BaseSHA, zero)),
		"labels": labels, "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{},
		"milestone": nil, "user": e.person(), "author_association": "OWNER", "auto_merge": nil,
		"commits": 1, "additions": 0, "deletions": 0, "changed_files": 0, "comments": 0, "review_comments": 0, "maintainer_can_modify": false,
		"created_at": e.stamp(), "updated_at": e.stamp(), "closed_at": nil,
		"html_url": url, "diff_url": url + ".diff", "patch_url": url + ".patch", "url": e.api("pulls/" + strconv.Itoa(n)),
		"issue_url": e.api("issues/" + strconv.Itoa(n)), "comments_url": e.api("issues/" + strconv.Itoa(n) + "/comments"),
	}
}

func (e *Event) issue() object {
	n := strconv.Itoa(e.Number())
	return object{
		"id": e.id("issue"), "number": e.Number(), "title": first(e.o.Commit.Title, "Issue"), "body": "", "state": "open", "locked": false,
		"labels": []any{}, "assignee": nil, "assignees": []any{}, "milestone": nil, "comments": 0, "user": e.person(), "author_association": "OWNER",
		"created_at": e.stamp(), "updated_at": e.stamp(), "closed_at": nil, "html_url": e.web("issues/" + n), "url": e.api("issues/" + n),
	}
}

func (e *Event) comment() object {
	return object{
		"id": e.id("comment"), "body": "", "user": e.person(), "author_association": "OWNER", "created_at": e.stamp(), "updated_at": e.stamp(),
		"html_url": e.web("issues/1#issuecomment-1"),
	}
}

func label(e *Event, name string) object {
	return object{"id": e.id("label " + name), "name": name, "color": "ededed", "default": false, "description": nil, "url": e.api("labels/" + name)}
}

func (e *Event) suite() object {
	return object{"id": e.id("suite"), "head_branch": e.RefName, "head_sha": e.SHA, "status": "completed", "conclusion": "success", "pull_requests": []any{}}
}

func (e *Event) workflowRun() object {
	branch := first(e.o.Branch, e.o.Repository.DefaultBranch)
	conclusion := any("success")
	if e.Action != "completed" {
		conclusion = nil
	}
	return object{
		"id": e.id("run"), "name": e.made.workflow, "path": "", "display_title": e.o.Commit.Title, "event": "push", "status": map[bool]string{true: "completed", false: "queued"}[e.Action == "completed"],
		"conclusion": conclusion, "head_branch": branch, "head_sha": e.o.Commit.SHA, "head_commit": e.commit(), "head_repository": e.repository(),
		"repository": e.repository(), "run_number": e.o.Number, "run_attempt": 1, "workflow_id": e.id("workflow"), "pull_requests": []any{},
		"actor": e.person(), "triggering_actor": e.person(), "created_at": e.stamp(), "updated_at": e.stamp(), "html_url": e.web(fmt.Sprintf("actions/runs/%d", e.id("run"))),
	}
}

func (e *Event) owner() object {
	owner, _, _ := strings.Cut(e.Repository(), "/")
	return e.user(owner)
}

func (e *Event) person() object { return e.user(e.Actor()) }

func (e *Event) user(login string) object {
	return object{
		"login": login, "id": number(login), "type": "User", "site_admin": false, "html_url": e.Server() + "/" + login, "url": e.API() + "/users/" + login,
		"avatar_url": "", "name": login,
	}
}

func (e *Event) repository() object {
	r := e.o.Repository
	path := e.Repository()
	host := strings.TrimPrefix(e.Server(), "https://")
	return object{
		"id": number(path), "name": e.name(), "full_name": path, "private": true, "visibility": "private", "fork": false, "archived": false,
		"owner": e.owner(), "html_url": e.Server() + "/" + path, "url": e.API() + "/repos/" + path, "description": nil, "homepage": nil,
		"clone_url": e.Server() + "/" + path + ".git", "git_url": "git://" + host + "/" + path + ".git", "ssh_url": "git@" + host + ":" + path + ".git",
		"default_branch": r.DefaultBranch, "master_branch": r.DefaultBranch, "language": nil, "topics": []any{},
	}
}

func (e *Event) name() string {
	path := e.Repository()
	return path[strings.LastIndex(path, "/")+1:]
}

func (e *Event) id(what string) int64 { return number(e.Repository() + " " + what) }

func (e *Event) web(path string) string { return e.Server() + "/" + e.Repository() + "/" + path }

func (e *Event) api(path string) string { return e.API() + "/repos/" + e.Repository() + "/" + path }

func (e *Event) stamp() string { return when(e.o.At, e.o.Commit.At) }

func when(times ...time.Time) string {
	for _, t := range times {
		if !t.IsZero() {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return time.Unix(0, 0).UTC().Format(time.RFC3339)
}

func texts(in map[string]string) object {
	out := object{}
	for k, v := range in {
		out[k] = v
	}
	return out
}
