// The state of the page: its ranges, its words in the address, and the curves and numbers it means.
globalThis.richlazyState = (() => {
  "use strict";

  const data = JSON.parse(document.getElementById("richlazy-data").textContent);
  const number = (text) => (text === "inf" ? Infinity : Number(text));
  for (const table of [data.recurrent, data.own]) {
    if (table) table.times = table.times.map(number);
  }

  const AXES = {
    "first-layer": ["time", "rank", "scale", "strength", "alignment"],
    recurrent: ["time", "gain", "steps"],
  };
  const POINTS = 101;
  const TIME = [-3, 5, 5.05]; // powers of ten along the axis, and where infinity stands
  const RANGES = {
    inputs: [2, 10000], rank: [1, 10000], norm: [0.01, 100], strength: [0.01, 100],
    time: [1e-3, 1e5], alignment: [0, 1],
  };
  const RECURRENT = { ratio: "ratios", gain: "gains", steps: "steps", training: "times" };

  const initial = () => ({
    reading: "first-layer", start: "", inputs: 100, rank: 5, alignment: "typical", norm: 1,
    strength: 1, time: Infinity, ratio: 0.2, gain: 0.6, steps: 5, training: Infinity, axis: "time",
  });

  const preset = (state) => data.presets.find(({ name }) => name === state.start);
  // the recurrent table: that of the input, where it is chosen and has one
  const isOwn = (state) => state.start === "input" && data.own !== null;
  const table = (state) => (isOwn(state) ? data.own : data.recurrent);

  function nearest(values, value) {
    const away = values.map((v) => (v === value ? 0 : Math.abs(Math.log(v / value))));
    return values[away.indexOf(Math.min(...away))];
  }

  // The state once a start is chosen: its inputs and participation ratio, at norm 1, a typical task.
  function started(state, name) {
    const found = data.presets.find((one) => one.name === name);
    if (!found) return { ...state, start: "" };
    const next = { ...state, start: name, inputs: found.inputs, rank: found.rank };
    if (found.units !== null) {
      next.ratio = nearest(table(next).ratios, Math.min(found.rank / found.units, 1));
    }
    return { ...next, norm: 1, alignment: "typical" };
  }

  const atFullRank = (state) => state.rank === state.inputs;
  // c itself: the share of a typical task, and 1 where no direction lies outside
  function alignment(state) {
    if (atFullRank(state)) return 1;
    return state.alignment === "typical" ? state.rank / state.inputs : state.alignment;
  }

  const written = (value) => (value === Infinity ? "inf" : String(value));
  function toHash(state) {
    const words = state.reading === "first-layer"
      ? ["inputs", "rank", "alignment", "norm", "strength", "time"]
      : ["ratio", "gain", "steps", "training"];
    const pairs = [["reading", state.reading], ...(state.start ? [["start", state.start]] : []),
      ...words.map((name) => [name === "training" ? "time" : name, written(state[name])]),
      ["axis", state.axis]];
    return "#" + pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  }

  // The state that an address asks for, and what is wrong with it, a sentence each.
  function fromHash(hash) {
    const wrong = [];
    let state = initial();
    const given = new Map();
    for (const pair of hash.replace(/^#/, "").split("&").filter(Boolean)) {
      const [name, ...rest] = pair.split("=");
      let value;
      try {
        value = decodeURIComponent(rest.join("="));
      } catch {
        wrong.push(`${name} is not written as an address is`);
        continue;
      }
      if (given.has(name)) wrong.push(`${name} is given twice, the last counts`);
      given.set(name, value);
    }
    function choose(name, choices, fallback) {
      if (!given.has(name)) return fallback;
      if (choices.includes(given.get(name))) return given.get(name);
      wrong.push(`${name} must be one of ${choices.join(", ")}; it is “${given.get(name)}”`);
      return fallback;
    }
    function read(name) {
      const text = given.get(name);
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || text === "inf"
        ? number(text) : NaN;
    }
    state.reading = choose("reading", ["first-layer", "recurrent"], state.reading);
    const start = choose("start", data.presets.map(({ name }) => name), "");
    const recurrent = state.reading === "recurrent";
    if (start && recurrent && data.presets.find(({ name }) => name === start).units === null) {
      wrong.push(`${start} is no square matrix and cannot be read as a recurrent network`);
    } else if (start) state = started(state, start);
    if (recurrent) readNodes(state, given, read, wrong);
    else readNumbers(state, given, read, wrong);
    state.axis = choose("axis", AXES[state.reading], "time");
    const known = ["reading", "start", "axis", "time",
      ...(recurrent ? ["ratio", "gain", "steps"]
        : ["inputs", "rank", "alignment", "norm", "strength"])];
    for (const name of given.keys()) {
      if (!known.includes(name)) wrong.push(`“${name}” is nothing that this reading knows`);
    }
    return { state, wrong };
  }

  function readNumbers(state, given, read, wrong) {
    for (const name of ["inputs", "rank", "norm", "strength", "time", "alignment"]) {
      if (!given.has(name)) continue;
      const text = given.get(name);
      if (name === "alignment" && text === "typical") {
        state.alignment = "typical";
        continue;
      }
      const [least, most] = name === "rank" ? [1, state.inputs] : RANGES[name];
      const value = read(name);
      const fits = (value >= least && value <= most) || (name === "time" && value === Infinity);
      if (!fits || (name === "inputs" && !Number.isInteger(value))) {
        const kind = name === "inputs" ? "a whole number" : "a number";
        const also = { time: ", or inf", alignment: ", or typical" }[name] || "";
        wrong.push(`${name} must be ${kind} from ${least} to ${most}${also}; it is “${text}”`);
      } else state[name] = value;
    }
    if (state.rank > state.inputs) state.rank = state.inputs;
    const c = state.alignment;
    if (atFullRank(state) && given.has("alignment") && c !== "typical" && c < 1) {
      wrong.push("alignment is 1 where the rank is that of all inputs: no direction lies outside");
    }
  }

  function readNodes(state, given, read, wrong) {
    for (const [name, list] of Object.entries(RECURRENT)) {
      const nodes = table(state)[list], word = name === "training" ? "time" : name;
      if (given.has(word)) {
        const value = read(word);
        if (nodes.includes(value)) state[name] = value;
        else {
          const all = nodes.map(written).join(", ");
          wrong.push(`${word} must be one of ${all}; it is “${given.get(word)}”`);
        }
      }
      if (!nodes.includes(state[name])) state[name] = nearest(nodes, state[name]);
    }
  }

  // Numbers of a first layer, with what is relative to the norm of the start.
  function firstLayer(state) {
    const found = richlazyFormulas.flat({
      inputs: state.inputs, rank: state.rank, alignment: alignment(state), norm: state.norm,
      strength: state.strength, time: state.time,
    });
    return {
      ...found,
      relative_weight_change: found.weight_change / state.norm,
      relative_weight_change_first: found.weight_change_first / state.norm,
    };
  }

  function cell(state) {
    const { ratios, steps, gains, times } = table(state);
    const place = ((ratios.indexOf(state.ratio) * steps.length + steps.indexOf(state.steps))
      * gains.length + gains.indexOf(state.gain)) * times.length + times.indexOf(state.training);
    const found = {};
    for (const [name, values] of Object.entries(table(state).columns)) found[name] = values[place];
    return found;
  }

  const numbers = (state) => (state.reading === "recurrent" ? cell(state) : firstLayer(state));

  const spread = (low, high) =>
    Array.from({ length: POINTS }, (_, k) => low + ((high - low) * k) / (POINTS - 1));
  const powers = (low, high) => {
    const ticks = [];
    for (let p = Math.ceil(low); p <= high + 1e-9; p += 1) ticks.push([p, power(p)]);
    return ticks;
  };
  const raised = (n) => String(n).replace(/./g, (d) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(d)]);
  const power = (p) => (p >= -2 && p <= 3 ? String(Number((10 ** p).toPrecision(3))) : `10${raised(p)}`);

  // One axis: where its points stand, which state each is, where the present one stands, its ticks.
  function axis(state) {
    return state.reading === "recurrent" ? nodesAxis(state) : smoothAxis(state);
  }

  function smoothAxis(state) {
    const log = (name, low, high, label, key) => ({
      label, name, range: [low, high], ticks: powers(low, high), here: Math.log10(state[key]),
      points: spread(low, high).map((p) => ({ place: p, x: 10 ** p, state: { ...state, [key]: 10 ** p } })),
    });
    if (state.axis === "time") {
      const [low, high, end] = TIME;
      const found = log("time", low, high, "time (learning rate × steps)", "time");
      found.range = [low, end];
      found.ticks = [...found.ticks.filter(([p]) => p < high), [end, "∞"]];
      found.here = state.time === Infinity ? end : found.here;
      found.points.push({ place: end, x: Infinity, state: { ...state, time: Infinity } });
      return found;
    }
    if (state.axis === "rank") {
      const found = log("rank", 0, Math.log10(state.inputs), "rank or participation ratio r", "rank");
      found.points = found.points.map(({ place }, k) => {
        const rank = k === POINTS - 1 ? state.inputs : Math.min(Math.max(10 ** place, 1), state.inputs);
        return { place, x: rank, state: { ...state, rank } };
      });
      // with a task that reaches outside, full rank is another task
      if (state.alignment !== "typical" && state.alignment < 1) found.points.pop();
      if (found.ticks.length < 2) found.ticks.push([Math.log10(state.inputs), String(state.inputs)]);
      return found;
    }
    if (state.axis === "scale") return log("scale", -2, 2, "scale ‖W(0)‖", "norm");
    if (state.axis === "strength") return log("strength", -2, 2, "strength g of the task", "strength");
    const inside = atFullRank(state) ? [1] : spread(0, 1).map((c) => Math.max(c, 1e-6));
    return {
      label: "alignment c", name: "alignment", range: [0, 1], here: alignment(state),
      ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map((c) => [c, String(c)]),
      points: inside.map((c) => ({ place: c, x: c, state: { ...state, alignment: c } })),
    };
  }

  function nodesAxis(state) {
    const key = state.axis === "time" ? "training" : state.axis;
    const nodes = table(state)[RECURRENT[key]];
    const label = {
      training: "time (learning rate × steps of training)", gain: "gain ‖W‖ / √N",
      steps: "steps T of the task",
    }[key];
    const finite = nodes.filter((v) => v !== Infinity);
    const place = key !== "training" ? (v) => v
      : (v) => (v === Infinity ? Math.log10(finite[finite.length - 1]) + 0.5 : Math.log10(v));
    const ticks = key !== "training" ? nodes.map((v) => [v, String(v)])
      : [...powers(place(finite[0]), place(finite[finite.length - 1])), [place(Infinity), "∞"]];
    return {
      label, name: state.axis, here: place(state[key]), ticks,
      range: [place(nodes[0]), place(nodes[nodes.length - 1])],
      points: nodes.map((v) => ({ place: place(v), x: v, state: { ...state, [key]: v } })),
    };
  }

  return Object.freeze({
    AXES, RANGES, RECURRENT, TIME, alignment, atFullRank, axis, data, fromHash, initial, isOwn,
    nearest, numbers, preset, started, table, toHash,
  });
})();
