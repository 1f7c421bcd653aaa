"""A trial, not a test: a CLIP of random weights, exported as the hub's exports are, beside what open_clip's preprocessing
and tokeniser and torch make of real pictures and captions. Writes a model folder and expected.json into the folder given;
`node recipes/test-models/clip-parity.ts FOLDER` then prints the largest difference (November 2026: 3e-7).
Run with torch, transformers 4.57, open_clip 2.32: python clip_parity.py FOLDER
"""
import glob
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import image_transform
from PIL import Image
from transformers import CLIPConfig, CLIPTextModelWithProjection, CLIPVisionModelWithProjection

RECIPES = Path(__file__).resolve().parent.parent
os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
subprocess.run([sys.executable, RECIPES / "clean-caption/make_tables.py", "tokenizer", "tokenizer.json"], check=True)
warnings.filterwarnings("ignore")
torch.manual_seed(0)
cfg=CLIPConfig(projection_dim=32, text_config=dict(hidden_size=64,intermediate_size=128,num_hidden_layers=2,num_attention_heads=4,vocab_size=49408,max_position_embeddings=77,projection_dim=32,eos_token_id=49407,bos_token_id=49406), vision_config=dict(hidden_size=64,intermediate_size=128,num_hidden_layers=2,num_attention_heads=4,image_size=224,patch_size=32,projection_dim=32))
cfg._attn_implementation='eager'
v=CLIPVisionModelWithProjection._from_config(cfg.vision_config, attn_implementation='eager').eval(); t=CLIPTextModelWithProjection._from_config(cfg.text_config, attn_implementation='eager').eval()
class V(torch.nn.Module):
    def __init__(s): super().__init__(); s.m=v
    def forward(s,pixel_values): return s.m(pixel_values=pixel_values).image_embeds
class T(torch.nn.Module):
    def __init__(s): super().__init__(); s.m=t
    def forward(s,input_ids): return s.m(input_ids=input_ids).text_embeds
torch.onnx.export(V(),(torch.randn(2,3,224,224),),'vision_model.onnx',input_names=['pixel_values'],output_names=['image_embeds'],dynamic_axes={'pixel_values':{0:'n'},'image_embeds':{0:'n'}},opset_version=17,dynamo=False)
torch.onnx.export(T(),(torch.randint(0,100,(2,77)),),'text_model.onnx',input_names=['input_ids'],output_names=['text_embeds'],dynamic_axes={'input_ids':{0:'n',1:'l'},'text_embeds':{0:'n'}},opset_version=17,dynamo=False)
json.dump({'projection_dim':32,'text_config':{'max_position_embeddings':77},'pairmill':{'tokenization':'open-clip'}},open('config.json','w'))
json.dump({'crop_size':224,'do_center_crop':True,'image_mean':[0.48145466,0.4578275,0.40821073],'image_std':[0.26862954,0.26130258,0.27577711],'resample':3,'size':224},open('preprocessor_config.json','w'))
tf=image_transform(224,is_train=False,mean=(0.48145466,0.4578275,0.40821073),std=(0.26862954,0.26130258,0.27577711))
texts=json.load(open(RECIPES / "clean-caption/captions.json"))
with torch.no_grad():
    te=t(input_ids=SimpleTokenizer()(texts)).text_embeds; te/=te.norm(dim=-1,keepdim=True)
    fs=sorted(glob.glob(str(RECIPES.parent.parent / "shared/data/clip-golden/*.jpg")))
    ie=v(pixel_values=torch.stack([tf(Image.open(f)) for f in fs])).image_embeds; ie/=ie.norm(dim=-1,keepdim=True)
json.dump({'texts':texts,'te':te.tolist(),'files':fs,'ie':ie.tolist()},open('expected.json','w'))
