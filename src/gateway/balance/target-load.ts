import { PeakEwma } from './peak-ewma.ts'

/** What one worker has under way at one endpoint. It belongs to the endpoint and outlives a reload that still names it. */
export class TargetLoad {
  active = 0
  /** Null where no balance looks at latency. */
  latency: PeakEwma | null = null

  measureLatency(): void {
    this.latency ??= new PeakEwma()
  }
}
