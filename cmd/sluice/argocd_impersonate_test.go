package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// account makes a service account of the destination that may do what the rules say.
func (s *site) account(name, rules string) {
	s.Helper()
	s.apply(fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: %s}}", name))
	s.apply(fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: %s}, rules: %s}", name, rules))
	s.apply(fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: %[1]s}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[1]s}, subjects: [{kind: ServiceAccount, name: %[1]s, namespace: %[2]s}]}", name, s.space))
}

// impersonations are the scenarios of syncs that are done as service accounts (Argo CD documentation page "Application Sync
// using impersonation").
func impersonations() []lone {
	const (
		enabled = "application.sync.impersonation.enabled"
		whole   = `[{apiGroups: ["", apps], resources: [services, deployments], verbs: ["*"]}]`
		part    = `[{apiGroups: [""], resources: [services], verbs: ["*"]}]`
	)
	automated := automatedBy(map[string]any{})
	on := map[string]string{enabled: "true"}
	accounts := func(s *site, list string) func(manifest.Object) {
		return s.project(s.all(", destinationServiceAccounts: [" + strings.ReplaceAll(list, "HERE", s.space) + "]"))
	}
	refusedFor := func(s *site, why string) {
		s.Helper()
		s.expect(outOfSyncs, messageHas("failed to find a matching service account to impersonate: "+why))
		s.stays(time.Second, outOfSyncs, healthIs("Missing"))
	}
	return []lone{
		{scenario{name: "impersonation: off, accounts mean nothing", path: guestbook, run: func(s *site) {
			s.create(accounts(s, `{server: "*", namespace: HERE, defaultServiceAccount: nobody}`), automated)
			s.expect(inSync, succeeded)
		}}, nil},
		{scenario{name: "impersonation: no account in the project", path: guestbook, run: func(s *site) {
			s.create(automated)
			refusedFor(s, "no matching service account found for destination server https://kubernetes.default.svc and namespace "+s.space)
		}}, on},
		{scenario{name: "impersonation: no account, and none is needed", path: guestbook, run: func(s *site) {
			s.create(automated)
			s.expect(inSync, succeeded)
		}}, map[string]string{enabled: "true", "application.sync.impersonation.enforced": "false"}},
		{scenario{name: "impersonation: the first account that fits", path: guestbook, run: func(s *site) {
			s.account("deployer", whole)
			s.create(accounts(s, `{server: "*", namespace: other, defaultServiceAccount: other}, {server: "*", namespace: HERE, defaultServiceAccount: deployer}, {server: "*", namespace: HERE, defaultServiceAccount: missing}`), automated)
			s.expect(inSync, succeeded)
			s.merge(deploymentKind, s.space, "guestbook-ui", `{"spec":{"replicas":1}}`)
			s.patch(`{"spec":{"syncPolicy":{"automated":{"selfHeal":true}}}}`)
			s.expect(inSync, succeeded)
		}}, on},
		{scenario{name: "impersonation: an account of another namespace", path: guestbook, run: func(s *site) {
			s.account("deployer", whole)
			s.create(accounts(s, `{server: "https://kubernetes.*", namespace: "test-*", defaultServiceAccount: "HERE:deployer"}`), automated)
			s.expect(inSync, succeeded)
		}}, on},
		{scenario{name: "impersonation: an account that may do a part", path: guestbook, run: func(s *site) {
			s.account("part", part)
			s.create(accounts(s, `{server: "*", namespace: HERE, defaultServiceAccount: part}`))
			s.sync()
			s.expect(failed, outOfSyncs, messageHas("system:serviceaccount:"+s.space+":part"))
			s.is(s.get(deploymentKind, "guestbook-ui") == nil, "the Deployment was made")
		}}, on},
		{scenario{name: "impersonation: an account that is missing", path: guestbook, run: func(s *site) {
			s.create(accounts(s, `{server: "*", namespace: HERE, defaultServiceAccount: missing}`))
			s.sync()
			s.expect(failed, outOfSyncs, messageHas("forbidden"))
		}}, on},
		{scenario{name: "impersonation: an account that is no name", path: guestbook, run: func(s *site) {
			s.create(accounts(s, `{server: "*", namespace: HERE, defaultServiceAccount: "dep*"}`), automated)
			refusedFor(s, "default service account contains invalid chars 'dep*'")
		}}, on},
		{scenario{name: "impersonation: deletion is done as ourselves", path: guestbook, run: func(s *site) {
			s.account("deployer", whole)
			s.create(accounts(s, `{server: "*", namespace: HERE, defaultServiceAccount: deployer}`), automated)
			s.expect(inSync, succeeded)
			s.delete(manifest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"}, "deployer")
			s.must("delete")
			s.gone()
			s.is(s.get(deploymentKind, "guestbook-ui") == nil, "the Deployment is there")
		}}, on},
		{scenario{name: "projects: only clusters of their own", path: guestbook, run: func(s *site) {
			s.create(s.project(s.all(", permitOnlyProjectScopedClusters: true")))
			s.expect(condition("InvalidSpecError", "do not match any of the allowed destinations in project"))
			s.merge(projectKind, s.w.kube.Namespace, "project-"+s.app, `{"spec":{"permitOnlyProjectScopedClusters":false}}`)
			s.must("sync")
			s.expect(inSync, succeeded)
		}}, nil},
	}
}
