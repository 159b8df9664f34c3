from pathlib import Path
from tools.measure.tap_features import TAPS, load_features
if n.startswith('smol'): a=list(np.load('/tmp/w/smollm2-hidden%s.npy'%n[4:])); l='b n c'
elif n=='emb': a=list(np.load('/tmp/w/embeddings.npy')); l='b c'
else: l=TAPS[n].layout; a=[np.ascontiguousarray(x,np.float32) for x in load_features(Path('/tmp/w/feat7'),n,'test')]
