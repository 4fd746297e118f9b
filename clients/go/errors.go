package countersign

// Code says what went wrong on the side of the agent. It is stable.
type Code string

// The codes of [Error].
const (
	// CodeConfigInvalid: an option is wrong. The message says which, and what it must be.
	CodeConfigInvalid Code = "config_invalid"
	// CodeKeyInvalid: what was given as a private key is none. The message never repeats it.
	CodeKeyInvalid Code = "key_invalid"

	// CodeURLUnsupported: not an absolute http(s) URL, with user name and password, or with dot segments.
	CodeURLUnsupported Code = "url_unsupported"
	// CodeOriginNotAllowed: the URL is at none of the origins of the agent.
	CodeOriginNotAllowed Code = "origin_not_allowed"
	// CodeInsecureCredential: plain http to another host than loopback.
	CodeInsecureCredential Code = "insecure_credential"
	// CodeRedirectRefused: the API answered with a redirect.
	CodeRedirectRefused Code = "redirect_refused"
	// CodeRequestMalformed: a method, field or body that HTTP does not allow, or a covered field that is not ASCII.
	CodeRequestMalformed Code = "request_malformed"
	// CodeCredentialConflict: a token, bundle or approval, and a header for the same.
	CodeCredentialConflict Code = "credential_conflict"
	// CodeAlreadySigned: the headers carry a signature.
	CodeAlreadySigned Code = "already_signed"
	// CodeHostMismatch: the Host header names another host than the URL.
	CodeHostMismatch Code = "host_mismatch"
	// CodeBodyTooLarge: the body has more than [Config.MaxBodyBytes].
	CodeBodyTooLarge Code = "body_too_large"

	// CodeDelegationImpossible: what was to be handed on is wider than what is held, expired, or malformed.
	CodeDelegationImpossible Code = "delegation_impossible"
	// CodeBundleInvalid: the bundle is not for this agent and key, or is malformed or expired.
	CodeBundleInvalid Code = "bundle_invalid"
	// CodeTokenRefused: the authority gives no token.
	CodeTokenRefused Code = "token_refused"
	// CodeAuthorityUnavailable: the authority cannot be reached, or has an outage.
	CodeAuthorityUnavailable Code = "authority_unavailable"

	// CodeApprovalDenied: people denied the request.
	CodeApprovalDenied Code = "approval_denied"
	// CodeApprovalExpired: nobody decided in time.
	CodeApprovalExpired Code = "approval_expired"
	// CodeApprovalWithdrawn: the agent took the question back.
	CodeApprovalWithdrawn Code = "approval_withdrawn"
	// CodeApprovalImpossible: the API takes no approvals of this authority, or names another request than was sent.
	CodeApprovalImpossible Code = "approval_impossible"
	// CodeApprovalRefused: the authority does not take the question.
	CodeApprovalRefused Code = "approval_refused"
)

// Error is a call that was not made or not finished, or a delegation that was not handed on or accepted. Nothing was
// sent, except where the code says so. Find it with [errors.As]: [http.Client] wraps it.
type Error struct {
	Code    Code
	Message string
	// Err is the cause, if there is one.
	Err error
}

func (e *Error) Error() string { return "countersign: " + string(e.Code) + ": " + e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func failed(code Code, message string) *Error { return &Error{Code: code, Message: message} }
