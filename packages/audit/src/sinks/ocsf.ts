import type { AuditEvent } from '../record/event.js';
import type { AuditRecord } from '../record/record.js';

/** OCSF API Activity (class 6003), with the attributes that a record can fill. Names are OCSF's. */
export interface OcsfApiActivity {
  readonly class_uid: 6003;
  readonly category_uid: 6;
  /** From the method: 1 create, 2 read, 3 update, 4 delete, 99 other. */
  readonly activity_id: number;
  readonly activity_name?: string;
  readonly type_uid: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** 1 informational, 2 low (a refusal). */
  readonly severity_id: 1 | 2;
  /** 1 success, 2 failure. Absent if the action was allowed: it has not run yet. */
  readonly status_id?: 1 | 2;
  readonly status_code?: string;
  readonly message: string;
  readonly metadata: {
    readonly version: string;
    readonly product: { readonly name: string; readonly vendor_name: string };
    readonly profiles: readonly string[];
    readonly uid: string;
    readonly correlation_uid: string;
    readonly sequence?: number;
  };
  readonly actor: OcsfActor;
  readonly ai_agent?: { readonly uid: string; readonly type_id: 0 };
  readonly delegation?: OcsfDelegation;
  readonly api: {
    readonly operation: string;
    readonly request: { readonly uid: string };
    readonly response?: { readonly code: number };
  };
  readonly src_endpoint: { readonly ip: string } | { readonly name: string };
  readonly http_request?: {
    readonly http_method: string;
    readonly uid: string;
    readonly url: { readonly path: string };
  };
  readonly http_response?: { readonly code: number };
  readonly resources?: readonly { readonly uid: string; readonly type: string }[];
  /** 1 allowed, 2 denied, 3 observed: it would have been denied. */
  readonly action_id?: 1 | 2 | 3;
  /** 1 allowed, 2 blocked, 17 logged. */
  readonly disposition_id?: 1 | 2 | 17;
  /** The members of the record, except those that have a name above in all their parts. */
  readonly unmapped: Omit<
    AuditEvent & Partial<AuditRecord>,
    'id' | 'time' | 'sequence' | 'decision' | 'code' | 'action' | 'resource'
  >;
}

export interface OcsfActor {
  readonly app_uid?: string;
  readonly app_name?: string;
  readonly user?: { readonly uid: string; readonly type_id: 1 };
  readonly idp?: { readonly uid: string };
  readonly authorizations?: readonly {
    readonly decision: string;
    readonly policy: { readonly uid: string; readonly version?: string };
  }[];
}

export interface OcsfDelegation {
  readonly uid: string;
  readonly parent_uid?: string;
  readonly issuer_uid?: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiration_time?: number;
}
