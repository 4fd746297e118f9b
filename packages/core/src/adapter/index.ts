export { HeldAnswer } from '@countersign/common';
export { actingUserOf, type Admission, admissionOf, callerOf, exposeCaller, responderOf } from './admission.js';
export { rawResponderOf, runHandlers } from './admission.js';
export { type Admit, admitter, type HostExchange } from './admit.js';
export { type ConnectionWatch, watchConnection } from './connection-events.js';
export { coverBelow, routerCoverage } from './coverage.js';
export { type HandlerMark, isPermit, markHandler, markOf } from './handler-mark.js';
export { type AdmissionOptions, admissionOptionNames, type PermitOptions } from './options.js';
export { markedSchema } from '../model/openapi.js';
export { kept, onAssigned, showWhile, watchedOf } from './on-assigned.js';
export {
  admitEveryAgent,
  type PermissionCheck,
  permissionCheck,
  permitCheck,
  refuseUnguarded,
  type ResourceOf,
} from './permission.js';
export {
  type HandlerCall,
  type HandlerHost,
  isNodeRequest,
  nodeCall,
  type PermitDecorator,
  type Permits,
  permitDecorator,
} from './permit-decorator.js';
export { isTextOfMissing, type NamedResource, type RouteResource } from './resource.js';
export { clearFields, keepRefusal, neverSettling, type Respond, sendRefusal } from './send-refusal.js';
export { closesUnmapped, closesUnrouted, isUnmapped, mayBeSkipped, refuseAgent, reportClosed } from './unmapped.js';
export type { OutcomeWatch } from './watch-outcome.js';
