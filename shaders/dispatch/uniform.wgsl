// A dispatch's parameters stand in a buffer: for adapters without immediates.
@group(2) @binding(0) var<uniform> dispatch: Dispatch;
