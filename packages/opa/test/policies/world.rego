package countersign

default decision := {"allow": false}

decision := {"allow": true, "policies": ["drafts-for-the-user"]} if {
	input.actor.type == "agent"
	input.actor.id == "agent-code-reviewer-01"
	input.on_behalf_of.user_id == "user_123"
	input.action == "pr.create"
	input.resource.repo in ["acme/api", "acme/bots"]
	"pr:write:draft" in input.scope
}

# Asked only where the subject must also be permitted.
decision := {"allow": true, "policies": ["the-user-himself"]} if {
	input.actor.type == "user"
	input.actor.id == "user_123"
	input.action == "pr.create"
	input.resource.repo == "acme/api"
}

# Errs whenever it is reached: one rule with two values.
decision := {"allow": true} if input.resource.repo == "acme/faulty"

decision := {"allow": false, "policies": ["never"]} if input.resource.repo == "acme/faulty"

# Undefined for any other repository.
without_default if input.resource.repo == "acme/api"

odd := "yes"

allowed_as_text := {"allow": "true"}

# Errs in a built-in function: as undefined it would deny nobody.
default unless_numbered := false

unless_numbered if not numbered

numbered if to_number(input.resource.id) > 5

# No module in JavaScript has it.
calls_out if http.send({"method": "GET", "url": "http://127.0.0.1/"}).status_code == 200

from_data := {"allow": input.resource.repo in data.open}

from_data := {"allow": false, "policies": ["never"]} if input.resource.repo == "acme/faulty"
