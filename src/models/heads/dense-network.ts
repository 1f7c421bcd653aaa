/** A layer of a network of dense layers with ReLU between them, whose result is one logit, while it learns. */
export interface Layer {
  inputs: number;
  outputs: number;
  /** [outputs, inputs], then the biases: one array, so that the optimiser sees one. */
  parameters: Float64Array;
  /** Running means of the gradient and of its square (Adam). */
  moments: [Float64Array, Float64Array];
  gradient: Float64Array;
}

/** Adam, with the constants of its paper (Kingma and Ba, 2015). */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

/** He's initialisation for layers before a ReLU; the last begins at zero, which makes logistic regression independent of the seed's draw. */
export function newLayer(inputs: number, outputs: number, random: () => number): Layer {
  const parameters = new Float64Array(inputs * outputs + outputs);
  const scale = outputs === 1 ? 0 : Math.sqrt(6 / inputs);
  for (let i = 0; i < inputs * outputs; i++) parameters[i] = (2 * random() - 1) * scale;
  const zeros = (): Float64Array => new Float64Array(parameters.length);
  return { inputs, outputs, parameters, moments: [zeros(), zeros()], gradient: zeros() };
}

/** What the network gives for an embedding. */
export function logitOf(layers: readonly Layer[], input: Float64Array): number {
  return forward(layers, input).at(-1)![0]!;
}

/** The activations of every layer; the last is the logit. */
function forward(layers: readonly Layer[], input: Float64Array): Float64Array[] {
  const activations = [input];
  for (const [i, { inputs, outputs, parameters }] of layers.entries()) {
    const [x, y] = [activations[i]!, new Float64Array(outputs)];
    for (let row = 0; row < outputs; row++) {
      let sum = parameters[inputs * outputs + row]!;
      for (let column = 0, at = row * inputs; column < inputs; column++, at++) sum += parameters[at]! * x[column]!;
      y[row] = i < layers.length - 1 ? Math.max(0, sum) : sum;
    }
    activations.push(y);
  }
  return activations;
}

/** Adds the gradient of one row's weighted cross-entropy to that of each layer; `rows`: those whose mean it is. */
export function addGradient(layers: readonly Layer[], input: Float64Array, label: number, weights: readonly [number, number], rows: number): void {
  const activations = forward(layers, input);
  const logit = activations.at(-1)![0]!;
  let delta = Float64Array.of((weights[label as 0 | 1] * (1 / (1 + Math.exp(-logit)) - label)) / rows);
  for (let i = layers.length - 1; i >= 0; i--) {
    const { inputs, outputs, parameters, gradient } = layers[i]!;
    const x = activations[i]!;
    const before = new Float64Array(inputs);
    for (let row = 0; row < outputs; row++) {
      const slope = delta[row]!;
      if (slope === 0) continue;
      gradient[inputs * outputs + row]! += slope;
      for (let column = 0, at = row * inputs; column < inputs; column++, at++) {
        gradient[at]! += slope * x[column]!;
        before[column]! += slope * parameters[at]!;
      }
    }
    delta = i > 0 ? before.map((value, column) => (x[column]! > 0 ? value : 0)) : before;
  }
}

/** Moves the parameters by their gradient, at the `step`th step, 1 being the first. */
export function adamStep({ parameters, gradient, moments: [first, second] }: Layer, step: number, rate: number): void {
  const [correct1, correct2] = [1 - BETA1 ** step, 1 - BETA2 ** step];
  for (let i = 0; i < parameters.length; i++) {
    const slope = gradient[i]!;
    first[i] = BETA1 * first[i]! + (1 - BETA1) * slope;
    second[i] = BETA2 * second[i]! + (1 - BETA2) * slope * slope;
    parameters[i]! -= (rate * (first[i]! / correct1)) / (Math.sqrt(second[i]! / correct2) + EPSILON);
  }
}
