"""A slow edge patcher and its gradient, written from the definition alone: what edge methods are held against.

One run on the clean prompts in which chosen edges carry what their source wrote on the corrupt prompts; everything else is
as the run itself makes it. Sources are taken from the model's hooks, and a reader's input is rebuilt from the stream, its
norm and its weights, so that nothing here shares code with the methods. For GPT-2 models.

Difference times gradient (EAP) is the derivative of that run by how much of each edge is corrupt, at none.
"""

from contextlib import ExitStack, contextmanager

import torch

from workbench.metrics import answers_of, logit_diff


def sources_of(model, tokens, graph):
    """What every source adds to the stream: [batch pos src d_model]."""
    written = Written(model, graph, None, None)
    with torch.no_grad(), written.hooks():
        model(tokens)
    return torch.stack(written.now, dim=2)


def patched_diff(model, pairs, graph, mask, corrupt):
    """Logit difference per prompt where every edge of `mask` [src dst] carries what `corrupt` (of `sources_of`) holds."""
    with torch.no_grad():
        return _run(Written(model, graph, torch.as_tensor(mask).float(), corrupt), pairs)


def edge_effects(model, pairs, graph, corrupt):
    """Change of the mean logit difference as each edge alone is corrupted, [src dst]; one run per edge."""
    effects = torch.zeros(graph.edges.shape)
    clean = patched_diff(model, pairs, graph, effects, corrupt)
    for src, dst in zip(*graph.edge_list, strict=True):
        mask = torch.zeros(graph.edges.shape)
        mask[src, dst] = 1
        effects[src, dst] = (patched_diff(model, pairs, graph, mask, corrupt) - clean).mean()
    return effects


def first_order(model, pairs, graph, corrupt, ways=(0.0,)):
    """The same to first order, [src dst]: difference times gradient, averaged over runs whose embeddings are so far corrupt."""
    clean, scores = sources_of(model, pairs.clean, graph), torch.zeros(graph.edges.shape)
    for way in ways:
        share = torch.zeros(graph.edges.shape, requires_grad=True)
        embedded = torch.lerp(clean[:, :, 0], corrupt[:, :, 0], way)
        with torch.enable_grad():
            total = _run(Written(model, graph, share, corrupt, clean, embedded), pairs).mean()
        scores += torch.autograd.grad(total, share)[0] / len(ways)
    return scores


def _run(written, pairs):
    with written.hooks():
        written.model(pairs.clean)
    stream = written.read(written.graph.logits, written.last)
    logits = normed(written.model, written.model.ln_final, stream) @ written.model.W_U
    return logit_diff(logits[torch.arange(len(pairs)), pairs.end], answers_of(pairs))


def normed(model, norm, stream):
    centred = stream - stream.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + model.cfg.eps).sqrt() * norm.weight + norm.bias


class Written:
    """What the sources of a running model have written so far, and the hooks that keep it and patch the readers."""

    def __init__(self, model, graph, mask, corrupt, clean=None, embedded=None):
        self.model, self.graph, self.mask, self.corrupt, self.clean = model, graph, mask, corrupt, clean
        self.embedded, self.now, self.stream, self.last = embedded, [], None, None

    def patched(self, dst):
        """The sources whose edges into this destination carry something corrupt; all, where that share is differentiated."""
        if self.mask is None:
            return []
        wanted = self.mask[:, dst] != 0 if self.clean is None else torch.as_tensor(self.graph.edges[:, dst])
        return torch.nonzero(wanted).flatten().tolist()

    def read(self, dst, stream):
        """The stream as this destination sees it."""
        for src in self.patched(dst):
            before = self.now[src] if self.clean is None else self.clean[:, :, src]
            stream = stream + self.mask[src, dst] * (self.corrupt[:, :, src] - before)
        return stream

    @contextmanager
    def hooks(self):
        points = {"hook_embed": self.embed}
        for layer, block in enumerate(self.model.blocks):
            points |= self.of_layer(layer, block)
        with ExitStack() as stack:
            for name, act_on in points.items():
                point = self.model.hook_dict[name]
                point.add_hook(lambda act, hook, act_on=act_on: act_on(act))
                stack.callback(point.remove_hooks)
            yield

    def embed(self, act):
        self.now.append(act.clone())
        return self.embedded

    def of_layer(self, layer, block):
        graph, model, at = self.graph, self.model, f"blocks.{layer}."

        def enter(stream):
            self.stream = stream.clone()

        def reader(slot, weights, biases):
            first = graph.slots(layer, slot).start

            def patch(act):
                act = act.clone()
                for head in range(graph.n_heads):
                    if self.patched(first + head):
                        seen = normed(model, block.ln1, self.read(first + head, self.stream))
                        act[:, :, head] = seen @ weights[layer, head] + biases[layer, head]
                return act

            return patch

        def heads(z):
            self.now.extend((z[:, :, head] @ model.W_O[layer, head]).clone() for head in range(graph.n_heads))

        def attended(out):
            self.stream = self.stream + out

        def mlp_in(act):
            dst = graph.slots(layer, "mlp").start
            if not self.patched(dst):
                return None
            return normed(model, block.ln2, self.read(dst, self.stream))

        def mlp_out(out):
            self.now.append(out.clone())

        def leave(stream):
            self.last = stream.clone()

        return {
            f"{at}hook_resid_pre": enter,
            f"{at}attn.hook_q": reader("q", model.W_Q, model.b_Q),
            f"{at}attn.hook_k": reader("k", model.W_K, model.b_K),
            f"{at}attn.hook_v": reader("v", model.W_V, model.b_V),
            f"{at}attn.hook_z": heads,
            f"{at}hook_attn_out": attended,
            f"{at}mlp.hook_in": mlp_in,
            f"{at}hook_mlp_out": mlp_out,
            f"{at}hook_resid_post": leave,
        }
