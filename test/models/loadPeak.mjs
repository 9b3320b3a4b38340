// Loads the model of a folder, its matrices kept as the second argument says, in the built kit, and prints what that took in bytes.
import { peakBytes } from "../../dist/experiment/cost.js";
import { loadModel } from "../../dist/models/load.js";
import { runtimeBytes } from "../../dist/tensor/backend.js";

const [folder, weights] = process.argv.slice(2);
const { parameters } = await loadModel(folder, { weights });
const kept = parameters.reduce((sum, { value, bytes = 4 }) => sum + bytes * value.size, 0);
process.stdout.write(JSON.stringify({ kept, beside: peakBytes() - runtimeBytes() }));
