package lint

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// metadata checks an action.yml.
func (c *checker) metadata() {
	a := c.in.Action
	s := scope(expr.Scope())
	inputs := map[string]expr.Type{}
	for _, in := range a.Inputs {
		inputs[in.Name.Value] = expr.TString
		c.text(in.Default, s)
		if in.DeprecationMessage.Set && strings.TrimSpace(in.DeprecationMessage.Value) == "" {
			c.warn(CodeDeprecated, in.DeprecationMessage.At(), "the input %s is deprecated, and deprecationMessage does not say why", in.Name.Value).
				WithHint("say what to use instead")
		}
	}
	s["inputs"], s["steps"], s["needs"], s["jobs"] = expr.TStrict(inputs), nothing, nothing, nothing
	if a.Using.Value == "composite" {
		// The inputs of the workflow that runs it are not seen there; github.event is.
		steps := &walk{checker: c, scope: s, known: map[string]expr.Type{}, taint: tainted{}, fetched: true}
		steps.all(a.Steps)
		for _, o := range a.Outputs {
			c.text(o.Value, steps.here())
		}
	}
	c.condition(a.PreIf, s)
	c.condition(a.PostIf, s)
	c.texts(a.Args, s)
	c.env(a.Env, s)
	c.runs(a)
	c.icon(a)
}

// runs tells files that an action names and that are not there, and conditions of nothing.
func (c *checker) runs(a *workflow.Action) {
	switch {
	case a.PreIf != nil && !a.Pre.Set && !a.PreEntrypoint.Set:
		c.mistake(CodePath, a.PreIf.Text.At(), "pre-if is a condition of pre, and there is none").WithHint("add pre, or remove pre-if")
	case a.PostIf != nil && !a.Post.Set && !a.PostEntrypoint.Set:
		c.mistake(CodePath, a.PostIf.Text.At(), "post-if is a condition of post, and there is none").WithHint("add post, or remove post-if")
	}
	names := []struct {
		key  string
		text workflow.Text
	}{{"main", a.Main}, {"pre", a.Pre}, {"post", a.Post}, {"entrypoint", a.Entrypoint}, {"pre-entrypoint", a.PreEntrypoint}, {"post-entrypoint", a.PostEntrypoint}}
	if !strings.Contains(a.Image.Value, "://") {
		names = append(names, struct {
			key  string
			text workflow.Text
		}{"image", a.Image})
	}
	for _, n := range names {
		name := n.text.Value
		if c.in.Files == nil || name == "" || strings.Contains(name, "${{") || strings.HasPrefix(name, "/") {
			continue
		}
		full := path.Join(path.Dir(a.Path), name)
		if strings.HasPrefix(full, "../") {
			continue
		}
		if _, err := c.in.Files.Read(c.ctx, full); errors.Is(err, fs.ErrNotExist) {
			c.warn(CodePath, n.text.At(), "%s names %s, which does not exist", n.key, full).
				WithHint("GitHub runs what is committed: build it and add it")
		}
	}
}

// icon tells icons that the marketplace does not know.
func (c *checker) icon(a *workflow.Action) {
	n := a.Node.Get("branding").Get("icon")
	name, ok := n.Str()
	if !ok || slices.Contains(icons, strings.ToLower(name)) {
		return
	}
	f := c.warn(CodeIcon, n.Place, "branding has no icon %q", name)
	if meant := near(name, icons); meant != "" {
		f.WithHint("did you mean %s?", meant)
	}
}

// icons are those of branding.icon: Feather v4.28.0 but for a few (Metadata syntax reference).
var icons = strings.Fields(`activity airplay alert-circle alert-octagon alert-triangle align-center align-justify align-left align-right anchor aperture archive
arrow-down-circle arrow-down-left arrow-down-right arrow-down arrow-left-circle arrow-left arrow-right-circle arrow-right arrow-up-circle arrow-up-left
arrow-up-right arrow-up at-sign award bar-chart-2 bar-chart battery-charging battery bell-off bell bluetooth bold book-open book bookmark box briefcase
calendar camera-off camera cast check-circle check-square check chevron-down chevron-left chevron-right chevron-up chevrons-down chevrons-left
chevrons-right chevrons-up circle clipboard clock cloud-drizzle cloud-lightning cloud-off cloud-rain cloud-snow cloud code command compass copy
corner-down-left corner-down-right corner-left-down corner-left-up corner-right-down corner-right-up corner-up-left corner-up-right cpu credit-card crop
crosshair database delete disc dollar-sign download-cloud download droplet edit-2 edit-3 edit external-link eye-off eye fast-forward feather file-minus
file-plus file-text file film filter flag folder-minus folder-plus folder gift git-branch git-commit git-merge git-pull-request globe grid hard-drive hash
headphones heart help-circle home image inbox info italic layers layout life-buoy link-2 link list loader lock log-in log-out mail map-pin map maximize-2
maximize menu message-circle message-square mic-off mic minimize-2 minimize minus-circle minus-square minus monitor moon more-horizontal more-vertical move
music navigation-2 navigation octagon package paperclip pause-circle pause percent phone-call phone-forwarded phone-incoming phone-missed phone-off
phone-outgoing phone pie-chart play-circle play plus-circle plus-square plus pocket power printer radio refresh-ccw refresh-cw repeat rewind rotate-ccw
rotate-cw rss save scissors search send server settings share-2 share shield-off shield shopping-bag shopping-cart shuffle sidebar skip-back skip-forward
slash sliders smartphone speaker square star stop-circle sun sunrise sunset table tablet tag target terminal thermometer thumbs-down thumbs-up toggle-left
toggle-right trash-2 trash trending-down trending-up triangle truck tv type umbrella underline unlock upload-cloud upload user-check user-minus user-plus
user-x user users video-off video voicemail volume-1 volume-2 volume-x volume watch wifi-off wifi wind x-circle x-square x zap-off zap zoom-in zoom-out`)
