package cluster

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeConfig      = "SL5901" // the kubeconfig cannot be used
	CodeDenied      = "SL5902" // 401 or 403
	CodeUnreachable = "SL5903" // no answer
	CodeSecret      = "SL5904" // a cluster's Secret is wrong
	CodeUnsupported = "SL5905" // a cluster's Secret asks for what is not supported
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeConfig, Summary: "a kubeconfig cannot be used", Text: "The file is missing or no kubeconfig, its context does not exist, or a certificate in it cannot be read. Without --kubeconfig the files that KUBECONFIG names are read, then ~/.kube/config, then the service account of the pod that Sluice runs in."},
	{Code: CodeDenied, Summary: "a cluster refuses who asks", Text: "The API server answered 401 (it does not know the credentials) or 403 (it knows them and the user may not do this). kubectl auth can-i --list tells what a user may do. Exit code 4."},
	{Code: CodeUnreachable, Summary: "a cluster does not answer", Text: "The name does not resolve, the connection is refused or cut, or an answer took longer than a minute. Reads and writes that may be sent twice were tried four times. Exit code 5."},
	{Code: CodeSecret, Summary: "a cluster's Secret cannot be used", Text: "A Secret with the label argocd.argoproj.io/secret-type: cluster needs server; config is JSON with bearerToken, username and password, tlsClientConfig. The values are never shown.", Page: "operator-manual/declarative-setup"},
	{Code: CodeUnsupported, Summary: "a cluster's Secret asks for what is not supported", Text: "execProviderConfig and awsAuthConfig start programs that get credentials. Sluice does not run programs that an object of a cluster names; put a bearerToken or a client certificate there.", Page: "operator-manual/declarative-setup"},
}
