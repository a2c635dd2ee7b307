import type { GatewayError } from '#base/errors'
import type { GatewayCall } from './gateway-call.ts'
import type { LongCall } from './long-calls.ts'

/** A call whose messages may be far apart, such as a stream of gRPC: only a shutdown's deadline or a taken key end it. */
export class PatientCall implements LongCall {
  readonly call: GatewayCall

  constructor(call: GatewayCall) {
    this.call = call
    call.snapshot.longCalls.add(this)
  }

  /** It gets its time like every other call: nobody but its two ends knows where it may be cut. */
  goAway(): void {}

  revoke(error: GatewayError): void {
    this.call.forward?.abandon()
    this.call.fail(error)
  }

  /** The call is over. */
  close(): void {
    this.call.snapshot.longCalls.remove(this)
  }
}
