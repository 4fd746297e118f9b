/**
 * JSON Schema of a record in a log of `auditFile`. Readers must ignore unknown fields: a version may gain fields. Times
 * are RFC 3339, in UTC.
 */
export const auditRecordSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Countersign audit record, version 1',
  oneOf: [
    {
      type: 'object',
      required: ['sequence', 'version', 'id', 'time', 'phase', 'request'],
      properties: {
        sequence: { type: 'integer', minimum: 1 },
        version: { const: 1 },
        id: { type: 'string' },
        time: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$' },
        phase: { enum: ['authentication', 'decision', 'outcome', 'authority'] },
        decision: { enum: ['allow', 'deny', 'would_refuse'] },
        code: { type: 'string', pattern: '^[a-z_]+$' },
        detail: { type: 'string' },
        actor: {
          type: 'object',
          required: ['id'],
          properties: { id: { type: 'string' }, keyId: { type: 'string' } },
        },
        possession: { enum: ['signature', 'dpop', 'web-bot-auth', 'mtls', 'bearer', 'local'] },
        subject: {
          type: 'object',
          required: ['id', 'type'],
          properties: {
            id: { type: 'string' },
            type: { enum: ['user', 'agent'] },
            issuer: { type: 'string' },
            mustBePermitted: { const: true },
          },
        },
        chain: {
          type: 'array',
          items: {
            type: 'object',
            required: ['id', 'type', 'proof', 'scope'],
            properties: {
              id: { type: 'string' },
              type: { enum: ['user', 'agent'] },
              proof: { enum: ['issuer', 'signature', 'local'] },
              issuer: { type: 'string' },
              keyId: { type: 'string' },
              delegationId: { type: 'string' },
              ancestors: {
                type: 'array',
                items: {
                  type: 'object',
                  properties: {
                    issuer: { type: 'string' },
                    delegationId: { type: 'string' },
                    keyId: { type: 'string' },
                  },
                },
              },
              registeredAs: { type: 'string' },
              scope: { type: 'array', items: { type: 'string' } },
              expiresAt: { type: 'number' },
            },
          },
        },
        scope: { type: 'array', items: { type: 'string' } },
        action: { type: 'string' },
        resource: {
          type: 'object',
          required: ['type', 'id'],
          properties: { type: { type: 'string' }, id: { type: 'string' } },
        },
        filtered: {
          type: 'object',
          required: ['asked', 'permitted', 'resources'],
          properties: {
            asked: { type: 'integer', minimum: 0 },
            permitted: { type: 'integer', minimum: 0 },
            resources: {
              type: 'array',
              items: {
                type: 'object',
                required: ['type', 'id'],
                properties: { type: { type: 'string' }, id: { type: 'string' } },
              },
            },
          },
        },
        policies: { type: 'array', items: { type: 'string' } },
        policySet: { type: 'string' },
        approval: {
          type: 'object',
          required: ['binding'],
          properties: {
            binding: { type: 'string' },
            id: { type: 'string' },
            issuer: { type: 'string' },
            approvers: {
              type: 'array',
              items: {
                type: 'object',
                required: ['id', 'groups', 'decidedAt'],
                properties: {
                  id: { type: 'string' },
                  groups: { type: 'array', items: { type: 'string' } },
                  decidedAt: { type: 'integer' },
                  amr: { type: 'array', items: { type: 'string' } },
                  acr: { type: 'string' },
                  authTime: { type: 'integer' },
                  reason: { type: 'string' },
                },
              },
            },
            breakGlass: { const: true },
          },
        },
        claimed: {
          type: 'object',
          required: ['keyId'],
          properties: { keyId: { type: 'string' }, agent: { type: 'string' } },
        },
        request: {
          type: 'object',
          required: ['id'],
          properties: {
            id: { type: 'string' },
            method: { type: 'string' },
            path: { type: 'string' },
            remoteAddress: { type: 'string' },
            authority: { type: 'string' },
          },
        },
        call: {
          type: 'object',
          required: ['id', 'method'],
          properties: {
            id: { type: 'string' },
            method: { type: 'string' },
            name: { type: 'string' },
            argumentsDigest: { type: 'string' },
            traceparent: { type: 'string' },
          },
        },
        outcome: {
          type: 'object',
          required: ['result'],
          properties: {
            result: { enum: ['finished', 'threw', 'aborted', 'timed_out', 'failed', 'cancelled', 'not_started'] },
            status: { type: 'integer' },
            code: { type: 'string', pattern: '^[a-z_]+$' },
            undecided: { const: true },
          },
        },
        event: {
          type: 'object',
          required: ['name', 'by'],
          properties: {
            name: { type: 'string', pattern: '^[a-z_]+\\.[a-z_]+$' },
            by: {
              type: 'object',
              required: ['id', 'type'],
              properties: {
                id: { type: 'string' },
                type: { enum: ['user', 'agent', 'administrator', 'authority'] },
                groups: { type: 'array', items: { type: 'string' } },
                amr: { type: 'array', items: { type: 'string' } },
                acr: { type: 'string' },
                authTime: { type: 'integer' },
              },
            },
          },
        },
        oversize: {
          type: 'object',
          required: ['bytes', 'sha256'],
          properties: { bytes: { type: 'integer' }, sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
        },
        prev: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    },
    {
      type: 'object',
      required: ['sequence', 'version', 'time', 'phase', 'segment', 'prev'],
      properties: {
        sequence: { type: 'integer', minimum: 1 },
        version: { const: 1 },
        time: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$' },
        phase: { const: 'segment' },
        segment: {
          type: 'object',
          required: ['number', 'origin', 'size', 'frontier'],
          properties: {
            number: { type: 'integer', minimum: 1 },
            origin: { type: 'string' },
            size: { type: 'integer', minimum: 0 },
            frontier: { type: 'array', items: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
            fenced: {
              type: 'object',
              required: ['validBytes', 'voidBytes', 'sha256'],
              properties: {
                validBytes: { type: 'integer' },
                voidBytes: { type: 'integer' },
                sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
              },
            },
          },
        },
        prev: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    },
    {
      type: 'object',
      required: ['sequence', 'version', 'time', 'phase', 'checkpoint', 'prev'],
      properties: {
        sequence: { type: 'integer', minimum: 1 },
        version: { const: 1 },
        time: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$' },
        phase: { const: 'checkpoint' },
        checkpoint: {
          type: 'object',
          required: ['size', 'root'],
          properties: { size: { type: 'integer' }, root: { type: 'string' } },
        },
        prev: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    },
    {
      type: 'object',
      required: ['sequence', 'version', 'time', 'phase', 'recovered', 'prev'],
      properties: {
        sequence: { type: 'integer', minimum: 1 },
        version: { const: 1 },
        time: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$' },
        phase: { const: 'recovered' },
        recovered: {
          type: 'object',
          required: ['bytes', 'sha256', 'file'],
          properties: {
            bytes: { type: 'integer' },
            sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
            file: { type: 'string' },
          },
        },
        prev: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    },
  ],
} as const;
