package countersign

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	approvalDetailsType = "countersign_approval"
	// More is not shown to people, who then see a digest only.
	maxShownUnits   = 262_144
	longestInterval = time.Minute
	maxURIShown     = 2048
)

// Question has what people see besides the request itself.
type Question struct {
	// Body is the body of the request, so that people see it and not only its digest.
	Body []byte
	// Arguments are those of a tool call of MCP, for the same.
	Arguments map[string]any
	// Why says why the agent asks, in its own words.
	Why string
}

// PendingApproval is a question that waits for people.
type PendingApproval struct {
	// ID is by which the log finds it.
	ID string
	// URI is the page where people decide.
	URI string
	// ExpiresIn is the time within which they must.
	ExpiresIn time.Duration

	interval  time.Duration
	authority *authority
}

// AskApproval asks people at the authority for what an API refused with "approval_required". Then repeat the same request
// with [Signer.WithApproval]. The error has the code [CodeApprovalImpossible], [CodeApprovalRefused] or
// [CodeAuthorityUnavailable].
func (a *Agent) AskApproval(ctx context.Context, refusal *Refusal, question Question) (*PendingApproval, error) {
	if a.authority == nil {
		return nil, noAuthority()
	}
	needed := refusal.Approval
	if needed == nil {
		return nil, failed(CodeApprovalImpossible, "The refusal does not ask for an approval.")
	}
	if !slices.Contains(needed.Issuers, a.authority.issuer) {
		return nil, failed(CodeApprovalImpossible, "The API takes no approvals of the authority of this agent.")
	}
	request, _ := needed.request.(map[string]any)
	actor, _ := request["actor"].(map[string]any)
	if actor["id"] != a.ID() || needed.sent != nil && !needed.sent.is(request) {
		return nil, failed(CodeApprovalImpossible, "The API wants people to approve another request than the one that was sent.")
	}
	details := map[string]any{"type": approvalDetailsType, "binding": needed.binding, "request": needed.request}
	if shown := question.shown(); len(shown) > 0 {
		details["shown"] = shown
	}
	text, err := toJSON([]any{details})
	if err != nil {
		return nil, badConfig("Arguments cannot be written as JSON.")
	}
	members, err := a.authority.approval(ctx, "", url.Values{"authorization_details": {string(text)}})
	if err != nil {
		return nil, err
	}
	id, hasID := members["approval_id"].(string)
	uri, hasURI := members["approval_uri"].(string)
	if !hasID || !hasURI {
		return nil, a.authority.unavailable("it answered with something that is no question", nil)
	}
	interval := min(max(secondsOf(members["interval"], 2*time.Second), 100*time.Millisecond), longestInterval)
	return &PendingApproval{id, quote(uri, maxURIShown), secondsOf(members["expires_in"], 0), interval, a.authority}, nil
}

// Poll gives the approval; an empty text while people decide. The error has the code [CodeApprovalDenied],
// [CodeApprovalExpired], [CodeApprovalWithdrawn] or [CodeAuthorityUnavailable].
func (p *PendingApproval) Poll(ctx context.Context) (string, error) {
	members, err := p.authority.approval(ctx, "/poll", url.Values{"approval_id": {p.ID}})
	if err != nil {
		return "", err
	}
	status, _ := members["status"].(string)
	approval, _ := members["approval"].(string)
	if status == "approved" && isCompactJWS(approval) {
		return approval, nil
	}
	if status == "pending" {
		return "", nil
	}
	outcomes := map[string]Code{
		"denied": CodeApprovalDenied, "expired": CodeApprovalExpired, "withdrawn": CodeApprovalWithdrawn,
	}
	code, known := outcomes[status]
	if !known {
		return "", p.authority.unavailable("it answered with something that is no approval", nil)
	}
	message := "No approval: " + status
	if reason, ok := members["reason"].(string); ok {
		message += ": " + quote(reason, quoteLimit)
	}
	return "", failed(code, message+".")
}

// Wait gives the approval, once people have decided. The error is that of [PendingApproval.Poll], or of the context. After
// that of the context the question goes on; [PendingApproval.Withdraw] ends it.
func (p *PendingApproval) Wait(ctx context.Context) (string, error) {
	for {
		approval, err := p.Poll(ctx)
		if err != nil && ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil || approval != "" {
			return approval, err
		}
		if err := sleep(ctx, p.interval); err != nil {
			return "", err
		}
	}
}

// Withdraw takes the question back, unless it was decided. An approval that was given counts until it ends: only
// "countersign revoke delegation ID" of whoever runs the API ends it.
func (p *PendingApproval) Withdraw(ctx context.Context) error {
	_, err := p.authority.approval(ctx, "/withdraw", url.Values{"approval_id": {p.ID}})
	return err
}

// Format shows the page, with every verb.
func (p PendingApproval) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "PendingApproval("+p.URI+")")
}

// approval asks the approval endpoint, or a path below it.
func (a *authority) approval(ctx context.Context, path string, parameters url.Values) (map[string]any, error) {
	got, err := a.postForm(ctx, "approval_endpoint", path, parameters)
	if err != nil {
		return nil, err
	}
	if got.status == http.StatusOK {
		return got.members, nil
	}
	why, err := a.why(got)
	if err != nil {
		return nil, err
	}
	return nil, failed(CodeApprovalRefused, a.issuer+" takes no such question: "+why+".")
}

func (q Question) shown() map[string]any {
	shown := map[string]any{}
	if text := string(q.Body); text != "" {
		name := "text"
		if !utf8.ValidString(text) {
			name, text = "base64", toBase64(q.Body)
		}
		if len(utf16.Encode([]rune(text))) <= maxShownUnits {
			shown[name] = text
		}
	}
	if q.Arguments != nil {
		shown["arguments"] = q.Arguments
	}
	if q.Why != "" {
		shown["why"] = q.Why
	}
	return shown
}

func secondsOf(value any, otherwise time.Duration) time.Duration {
	seconds, ok := value.(float64)
	if !ok || seconds < 0 || seconds > 1e9 {
		return otherwise
	}
	return time.Duration(seconds * float64(time.Second))
}
