package countersign

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// Refusal is an answer of an API that refuses a call (RFC 9457). Nothing was carried out.
type Refusal struct {
	// Code is stable, as in docs/reference/refusals.md.
	Code   string
	Status int
	// Title is the text of the API.
	Title string
	// Advice says what to do.
	Advice string
	// RequiredScope has the missing scopes, if the answer names them.
	RequiredScope []string
	// Problem is the answer as it came.
	Problem json.RawMessage
	// Approval is what people must approve. Nil unless the code is "approval_required".
	Approval *NeededApproval
}

// NeededApproval is what people must approve before an API runs a call.
type NeededApproval struct {
	// URL is the page of the application where it asks people itself. Then repeat the request later.
	URL string
	// Issuers are the authorities whose approvals count. Empty: the application asks people itself.
	Issuers []string

	binding any
	request any
	// What was sent. Nil if it is not known.
	sent *sentRequest
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("countersign: %d %s: %s %s", r.Status, quote(r.Code, quoteLimit), r.Title, r.Advice)
}

// Temporary reports whether the API could not check the request. It may be sent again later, newly signed.
func (r *Refusal) Temporary() bool { return r.Status >= http.StatusInternalServerError }

// Forbidden reports whether the API knows who calls, and does not permit the call.
func (r *Refusal) Forbidden() bool { return r.Status == http.StatusForbidden }

const maxProblemBytes = 65_536

var scopeForm = regexp.MustCompile(`scope="([^"]*)"`)

// CheckResponse gives the [*Refusal] that an answer states; nil if a guard did not write it. The body of the answer can
// be read afterwards.
func CheckResponse(response *http.Response) error {
	if response.StatusCode < 400 || !isProblem(response.Header.Get("Content-Type")) {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes+1))
	response.Body = readBefore(body, response.Body)
	if err != nil || len(body) > maxProblemBytes {
		return nil
	}
	refusal := readRefusal(response.StatusCode, response.Header, body)
	if refusal == nil {
		return nil
	}
	if refusal.Approval != nil {
		refusal.Approval.sent = sentBy(response.Request)
	}
	return refusal
}

func readRefusal(status int, header http.Header, body []byte) *Refusal {
	problem, _ := parseObject(body)
	code, ok := problem["code"].(string)
	if !ok || !isProblem(header.Get("Content-Type")) {
		return nil
	}
	title, _ := problem["title"].(string)
	refusal := &Refusal{
		Code: code, Status: status, Title: quote(title, quoteLimit), Advice: adviceOn(code), Problem: json.RawMessage(body),
	}
	if found := scopeForm.FindStringSubmatch(header.Get("WWW-Authenticate")); found != nil && code == "insufficient_scope" {
		refusal.RequiredScope = strings.Fields(found[1])
	}
	if code == "approval_required" {
		refusal.Approval = neededApproval(problem["approval"])
	}
	return refusal
}

func neededApproval(value any) *NeededApproval {
	members, _ := value.(map[string]any)
	needed := &NeededApproval{binding: members["binding"], request: members["request"]}
	if page, _ := members["url"].(string); isPage(page) {
		needed.URL = page
	}
	issuers, _ := members["issuers"].([]any)
	for _, one := range issuers {
		if issuer, ok := one.(string); ok {
			needed.Issuers = append(needed.Issuers, issuer)
		}
	}
	return needed
}

// isPage reports whether text is an http(s) URL without a character that a terminal would obey.
func isPage(text string) bool {
	_, err := readURL(text)
	return err == nil && printableForm.MatchString(text)
}

// isProblem reports whether a Content-Type is that of problem details (RFC 9457).
func isProblem(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), problemType)
}
