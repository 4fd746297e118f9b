package countersign

import "time"

// Constants of the wire profile (docs/reference/wire-profile.md).
const (
	signatureTag  = "countersign"
	linkType      = "delegation+jwt"
	problemType   = "application/problem+json"
	formType      = "application/x-www-form-urlencoded"
	paramPrefix   = "mcp-param-"
	defaultMaxAge = 60 * time.Second
	maxLifetime   = 300 * time.Second

	defaultMaxBodyBytes = 16_777_216
	defaultLinkLifetime = 5 * time.Minute
	maxLinkLifetime     = time.Hour
	// The most that any API can be set to accept.
	maxDelegationDepth = 16
	maxTokenLength     = 16_384

	// Clocks that differ by less do not matter.
	clockSkew = 5 * time.Second
	// A signature for a later time could be kept by whoever answers, and used then.
	maxClockForward = 5 * time.Minute
)

var (
	targetComponents = []string{"@method", "@authority", "@path", "@query"}
	// Fields that are covered when they are present, in this order.
	coveredFields = []string{
		"content-type", "content-encoding", "content-digest",
		"authorization", "agent-delegation", "agent-approval",
		"mcp-method", "mcp-name", "mcp-session-id", "mcp-protocol-version", "last-event-id",
		"x-http-method-override", "x-http-method", "x-method-override",
	}
)
