// The shader program: train.wgsl, joined with one file of each folder beside it, as src/engine/gpu/program.rs joins them.

const FOLDER = new URL('../shaders/', import.meta.url);
const texts = new Map();

// Returns the text of a file of shaders/; each is fetched once.
export function shaderText(path) {
  if (!texts.has(path)) {
    texts.set(path, fetch(new URL(path, FOLDER)).then((response) => {
      if (!response.ok) {
        throw new Error(`shaders/${path}: ${response.status} ${response.statusText}`);
      }
      return response.text();
    }));
  }
  return texts.get(path);
}

// Returns the source of a variant. Browsers ask for subgroups to be enabled in the source, where naga refuses that.
export async function trainShader(loss, { samples = 'f32', loads = 'four', sum = 'tree', dispatch = 'uniform' } = {}) {
  const files = ['train', `loss/${loss}`, `samples/${samples}`, `loads/${loads}`, `sum/${sum}`, `dispatch/${dispatch}`];
  const parts = await Promise.all(files.map((file) => shaderText(`${file}.wgsl`)));
  return (sum === 'subgroup' ? 'enable subgroups;\n' : '') + parts.join('');
}
