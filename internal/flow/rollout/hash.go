package rollout

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Hash is the pod template hash of a template, equal to the one that Argo Rollouts 1.8 computes, so that a rollout that
// it began goes on here without a new replica set. An error says what in the template is no pod template.
func Hash(template manifest.Object, collisions *int32) (string, error) {
	data, err := oldJSON(template)
	if err != nil {
		return "", err
	}
	return digest(data, collisions), nil
}

func digest(data []byte, collisions *int32) string {
	h := fnv.New32a()
	h.Write(data)
	if collisions != nil {
		var count [8]byte
		binary.LittleEndian.PutUint32(count[:], uint32(*collisions))
		h.Write(count[:])
	}
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32()))
}

// podTemplate is the typed form of a template.
func podTemplate(template manifest.Object) (corev1.PodTemplateSpec, error) {
	var t corev1.PodTemplateSpec
	if err := template.Into(&t); err != nil {
		return t, fmt.Errorf("spec.template is no pod template: %w", err)
	}
	return t, nil
}

// oldJSON is a pod template's JSON as Kubernetes 1.29's types write it, with which Argo Rollouts 1.8 is built: newer fields
// are unknown to them and creationTimestamp is always told.
func oldJSON(template manifest.Object) ([]byte, error) {
	t, err := podTemplate(template)
	if err != nil {
		return nil, err
	}
	forget(reflect.ValueOf(&t.Spec))
	spec, err := json.Marshal(t.Spec)
	if err != nil {
		return nil, err
	}
	if spec, err = oldClaims(spec); err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Metadata oldMeta         `json:"metadata"`
		Spec     json.RawMessage `json:"spec"`
	}{metaOf(t.ObjectMeta), spec})
}

// oldMeta is metav1.ObjectMeta with a creationTimestamp that is written though it is empty.
type oldMeta struct {
	Name                       string                      `json:"name,omitempty"`
	GenerateName               string                      `json:"generateName,omitempty"`
	Namespace                  string                      `json:"namespace,omitempty"`
	UID                        string                      `json:"uid,omitempty"`
	ResourceVersion            string                      `json:"resourceVersion,omitempty"`
	Generation                 int64                       `json:"generation,omitempty"`
	CreationTimestamp          metav1.Time                 `json:"creationTimestamp"`
	DeletionTimestamp          *metav1.Time                `json:"deletionTimestamp,omitempty"`
	DeletionGracePeriodSeconds *int64                      `json:"deletionGracePeriodSeconds,omitempty"`
	Labels                     map[string]string           `json:"labels,omitempty"`
	Annotations                map[string]string           `json:"annotations,omitempty"`
	OwnerReferences            []metav1.OwnerReference     `json:"ownerReferences,omitempty"`
	Finalizers                 []string                    `json:"finalizers,omitempty"`
	ManagedFields              []metav1.ManagedFieldsEntry `json:"managedFields,omitempty"`
}

func metaOf(m metav1.ObjectMeta) oldMeta {
	return oldMeta{
		m.Name, m.GenerateName, m.Namespace, string(m.UID), m.ResourceVersion, m.Generation, m.CreationTimestamp,
		m.DeletionTimestamp, m.DeletionGracePeriodSeconds, m.Labels, m.Annotations, m.OwnerReferences, m.Finalizers, m.ManagedFields,
	}
}

// oldClaims writes the metadata of ephemeral volumes' claims in the old way. The mark cannot stand in a string, where its
// quotes would be escaped.
func oldClaims(spec []byte) ([]byte, error) {
	mark := []byte(`"volumeClaimTemplate":{`)
	var out []byte
	for {
		before, rest, found := bytes.Cut(spec, mark)
		out = append(out, before...)
		if !found {
			return out, nil
		}
		out = append(out, mark...)
		key := []byte(`"metadata":`)
		var meta metav1.ObjectMeta
		if after, has := bytes.CutPrefix(rest, key); has {
			d := json.NewDecoder(bytes.NewReader(after))
			if err := d.Decode(&meta); err != nil {
				return nil, err
			}
			rest = after[d.InputOffset():]
		} else {
			rest = append([]byte(","), rest...)
		}
		data, err := json.Marshal(metaOf(meta))
		if err != nil {
			return nil, err
		}
		out = append(append(out, key...), data...)
		spec = rest
	}
}

// newer are the fields of a pod template that Kubernetes 1.29 does not know, by the type that has them.
var newer = map[reflect.Type][]string{
	reflect.TypeFor[corev1.PodSpec]():                       {"Resources", "HostnameOverride", "SchedulingGroup", "EvictionResponders"},
	reflect.TypeFor[corev1.PodSecurityContext]():            {"SupplementalGroupsPolicy", "AppArmorProfile", "SELinuxChangePolicy"},
	reflect.TypeFor[corev1.Container]():                     {"RestartPolicyRules"},
	reflect.TypeFor[corev1.EphemeralContainerCommon]():      {"RestartPolicyRules"},
	reflect.TypeFor[corev1.SecurityContext]():               {"AppArmorProfile"},
	reflect.TypeFor[corev1.Lifecycle]():                     {"StopSignal"},
	reflect.TypeFor[corev1.EnvVarSource]():                  {"FileKeyRef"},
	reflect.TypeFor[corev1.ResourceClaim]():                 {"Request"},
	reflect.TypeFor[corev1.VolumeMount]():                   {"RecursiveReadOnly", "BindMountOptions"},
	reflect.TypeFor[corev1.HTTPGetAction]():                 {"Protocol"},
	reflect.TypeFor[corev1.GRPCAction]():                    {"Mode"},
	reflect.TypeFor[corev1.VolumeSource]():                  {"Image"},
	reflect.TypeFor[corev1.EmptyDirVolumeSource]():          {"Mode"},
	reflect.TypeFor[corev1.ConfigMapVolumeSource]():         {"DefaultUser"},
	reflect.TypeFor[corev1.SecretVolumeSource]():            {"DefaultUser"},
	reflect.TypeFor[corev1.DownwardAPIVolumeSource]():       {"DefaultUser"},
	reflect.TypeFor[corev1.ProjectedVolumeSource]():         {"DefaultUser"},
	reflect.TypeFor[corev1.VolumeProjection]():              {"PodCertificate"},
	reflect.TypeFor[corev1.KeyToPath]():                     {"User"},
	reflect.TypeFor[corev1.DownwardAPIVolumeFile]():         {"User"},
	reflect.TypeFor[corev1.ServiceAccountTokenProjection](): {"User"},
	reflect.TypeFor[corev1.ClusterTrustBundleProjection]():  {"User"},
}

// forget empties the newer fields in a value and in all that it holds.
func forget(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			forget(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			forget(v.Index(i))
		}
	case reflect.Struct:
		for _, name := range newer[v.Type()] {
			v.FieldByName(name).SetZero()
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				forget(v.Field(i))
			}
		}
	}
}

// StepHash is the hash of a canary's steps, equal to Argo Rollouts' (status.currentStepHash); "" for a blue-green rollout.
func StepHash(s Spec) string {
	if s.Strategy.BlueGreen != nil || s.Strategy.Canary == nil {
		return ""
	}
	var steps []hashedStep
	for _, step := range s.Strategy.Canary.Steps {
		steps = append(steps, hashed(step))
	}
	data, err := json.Marshal(steps)
	if err != nil {
		panic(fmt.Sprintf("steps that JSON cannot say: %v", err)) // they came from JSON
	}
	return digest(data, nil)
}

// hashedStep and what it holds are a step as Argo Rollouts 1.8 writes it into its hash: the order of the fields and which
// empty ones are told are part of it.
type (
	hashedStep struct {
		SetWeight      *int32            `json:"setWeight,omitempty"`
		Pause          *Pause            `json:"pause,omitempty"`
		Experiment     *hashedExperiment `json:"experiment,omitempty"`
		Analysis       *hashedAnalysis   `json:"analysis,omitempty"`
		SetCanaryScale *CanaryScale      `json:"setCanaryScale,omitempty"`
		SetHeaderRoute *HeaderRoute      `json:"setHeaderRoute,omitempty"`
		SetMirrorRoute *MirrorRoute      `json:"setMirrorRoute,omitempty"`
		Plugin         any               `json:"plugin,omitempty"`
	}
	hashedAnalysis struct {
		Templates            []hashedRef            `json:"templates,omitempty"`
		Args                 []hashedArg            `json:"args,omitempty"`
		DryRun               []analysis.MetricMatch `json:"dryRun,omitempty"`
		MeasurementRetention []analysis.Retention   `json:"measurementRetention,omitempty"`
		AnalysisRunMetadata  analysis.Meta          `json:"analysisRunMetadata"`
	}
	hashedRef struct {
		TemplateName string `json:"templateName"`
		ClusterScope bool   `json:"clusterScope,omitempty"`
	}
	hashedArg struct {
		Name      string      `json:"name"`
		Value     string      `json:"value,omitempty"`
		ValueFrom *hashedFrom `json:"valueFrom,omitempty"`
	}
	hashedFrom struct {
		PodTemplateHashValue string          `json:"podTemplateHashValue,omitempty"`
		FieldRef             *analysis.Field `json:"fieldRef,omitempty"`
	}
	hashedExperiment struct {
		Templates           []hashedTemplate       `json:"templates"`
		Duration            string                 `json:"duration,omitempty"`
		Analyses            []hashedExperimentRun  `json:"analyses,omitempty"`
		DryRun              []analysis.MetricMatch `json:"dryRun,omitempty"`
		AnalysisRunMetadata analysis.Meta          `json:"analysisRunMetadata"`
	}
	hashedTemplate struct {
		Name     string                `json:"name"`
		SpecRef  string                `json:"specRef"`
		Replicas *int32                `json:"replicas,omitempty"`
		Metadata analysis.Meta         `json:"metadata"`
		Selector *metav1.LabelSelector `json:"selector,omitempty"`
		Weight   *int32                `json:"weight,omitempty"`
		Service  *NamedService         `json:"service,omitempty"`
	}
	hashedExperimentRun struct {
		Name                  string      `json:"name"`
		TemplateName          string      `json:"templateName"`
		ClusterScope          bool        `json:"clusterScope,omitempty"`
		Args                  []hashedArg `json:"args,omitempty"`
		RequiredForCompletion bool        `json:"requiredForCompletion,omitempty"`
	}
)

func hashed(s Step) hashedStep {
	out := hashedStep{
		SetWeight: s.SetWeight, Pause: s.Pause, SetCanaryScale: s.SetCanaryScale,
		SetHeaderRoute: s.SetHeaderRoute, SetMirrorRoute: s.SetMirrorRoute,
	}
	if s.Plugin != nil {
		out.Plugin = s.Plugin
	}
	if a := s.Analysis; a != nil {
		out.Analysis = &hashedAnalysis{hashedRefs(a.Templates), hashedArgs(a.Args), a.DryRun, a.MeasurementRetention, a.AnalysisRunMetadata}
	}
	if e := s.Experiment; e != nil {
		h := &hashedExperiment{Duration: e.Duration, DryRun: e.DryRun, AnalysisRunMetadata: e.AnalysisRunMetadata}
		for _, t := range e.Templates {
			h.Templates = append(h.Templates, hashedTemplate(t))
		}
		for _, a := range e.Analyses {
			h.Analyses = append(h.Analyses, hashedExperimentRun{a.Name, a.TemplateName, a.ClusterScope, hashedArgs(a.Args), a.RequiredForCompletion})
		}
		out.Experiment = h
	}
	return out
}

func hashedRefs(refs []analysis.TemplateRef) []hashedRef {
	var out []hashedRef
	for _, r := range refs {
		out = append(out, hashedRef(r))
	}
	return out
}

func hashedArgs(args []analysis.Argument) []hashedArg {
	var out []hashedArg
	for _, a := range args {
		h := hashedArg{Name: a.Name}
		if a.Value != nil {
			h.Value = *a.Value
		}
		if f := a.ValueFrom; f != nil {
			h.ValueFrom = &hashedFrom{f.PodTemplateHashValue, f.FieldRef}
		}
		out = append(out, h)
	}
	return out
}

// seconds is a pause's duration: whole seconds, or a Go duration; 0 without one, -1 for what is neither.
func (p Pause) seconds() int32 {
	if p.Duration == nil {
		return 0
	}
	if p.Duration.Type == intstr.Int {
		return p.Duration.IntVal
	}
	if n, err := strconv.ParseInt(p.Duration.StrVal, 10, 32); err == nil {
		return int32(n)
	}
	d, err := time.ParseDuration(p.Duration.StrVal)
	if err != nil {
		return -1
	}
	return int32(d.Seconds())
}
