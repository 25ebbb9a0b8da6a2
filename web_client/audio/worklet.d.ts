// What an AudioWorkletGlobalScope has beyond a window; TypeScript's libraries do not say it.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

// Newer than TypeScript's DOM library.
interface AudioContext {
  setSinkId?(sinkId: string): Promise<void>;
}
