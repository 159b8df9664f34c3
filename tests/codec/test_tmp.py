import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from caufc.codec.lossless.integers.codec import *
@settings(deadline=None,max_examples=1500)
@given(st.sampled_from("u1 u2 u4 u8".split()).flatmap(lambda d: hnp.arrays(d, st.integers(1,600), fill=st.nothing() if False else None, elements=st.one_of(hnp.from_dtype(np.dtype(d)),st.integers(0,3),st.integers(0,200)))), st.lists(st.integers(2,50),max_size=3))
def test(x,s):
    d=encode_integers(x,sorted(set(s)))
    y=decode_integers(memoryview(d),len(x),x.itemsize)
    assert y.tobytes()==x.tobytes()
    y[:1]=0
