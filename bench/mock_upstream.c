// mock_upstream.c - tiny single-thread epoll HTTP/1.1 mock of an OpenAI-compatible (vLLM-like) server.
// build: gcc -O2 -o mock mock_upstream.c      run: ./mock PORT [delay_ms] [nchunks] [model]
//  POST /v1/chat/completions, /v1/completions: JSON (~600 B, usage) or, with "stream":true, N SSE chunks
//     (N = max_tokens of the body, else nchunks), delay_ms before each chunk (first too), usage chunk, [DONE].
//     every chunk is one send(); its content is "T<CLOCK_MONOTONIC ns> " so that a client can tell per-chunk latency.
//  POST /v1/embeddings, /tokenize;  GET /v1/models /health /metrics /version /ping;  GET /_set?delay=MS&n=N ; GET /_stat
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef struct conn {
  int fd; char *in; size_t inl, incap; char *out; size_t outl, outo, outcap;
  int streaming; int left; int64_t next; int close_after; int idx; int n; int wantw;
} conn;
static int ep, delay_ms, nchunks = 100; static const char *model = "mock-model";
static long nreq, nstream, nchunk_out, nconn;
static conn **act; static int nact, actcap;
static int64_t now(void){ struct timespec t; clock_gettime(CLOCK_MONOTONIC,&t); return t.tv_sec*1000000000LL+t.tv_nsec; }
static void closec(conn *c);
static int flushc(conn *c){
  while(c->outo<c->outl){ ssize_t r=send(c->fd,c->out+c->outo,c->outl-c->outo,MSG_NOSIGNAL);
    if(r<0){ if(errno==EAGAIN){ if(!c->wantw){struct epoll_event e={.events=EPOLLIN|EPOLLOUT,.data.ptr=c};epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);c->wantw=1;} return 0;} return -1; }
    c->outo+=r; }
  c->outl=c->outo=0;
  if(c->wantw){struct epoll_event e={.events=EPOLLIN,.data.ptr=c};epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);c->wantw=0;}
  return 1; }
static void put(conn *c,const char *b,size_t n){ if(c->outl+n>c->outcap){c->outcap=(c->outl+n)*2+1024;c->out=realloc(c->out,c->outcap);} memcpy(c->out+c->outl,b,n); c->outl+=n; }
static void reply(conn *c,int code,const char *ct,const char *b,size_t n){ char h[256]; int k=snprintf(h,sizeof h,"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\nserver: uvicorn\r\n\r\n",code,code==200?"OK":"Not Found",ct,n); put(c,h,k); put(c,b,n); }
static void addact(conn *c){ if(nact==actcap){actcap=actcap*2+64;act=realloc(act,actcap*sizeof*act);} c->idx=nact; act[nact++]=c; c->streaming=1; }
static void delact(conn *c){ if(!c->streaming) return; act[c->idx]=act[--nact]; act[c->idx]->idx=c->idx; c->streaming=0; }
static void closec(conn *c){ delact(c); close(c->fd); free(c->in); free(c->out); free(c); nconn--; }
static void sse(conn *c,const char *b,int n){ char h[16]; int k=sprintf(h,"%x\r\n",n); put(c,h,k); put(c,b,n); put(c,"\r\n",2); }
static const char *ID="chatcmpl-0123456789abcdef0123456789abcdef";
static int jint(const char *b,const char *key,int d){ const char *p=strstr(b,key); if(!p) return d; p+=strlen(key); while(*p==' '||*p==':'||*p=='"') p++; if(*p<'0'||*p>'9') return d; return atoi(p); }
static int jtrue(const char *b,const char *key){ const char *p=b; size_t l=strlen(key); while((p=strstr(p,key))){ p+=l; while(*p==' '||*p==':') p++; if(!strncmp(p,"true",4)) return 1; } return 0; }
static void handle(conn *c,char *m,char *path,char *body,size_t bl){
  char buf[8192]; int k; nreq++;
  if(!strcmp(m,"POST")&&(strstr(path,"/chat/completions")||!strcmp(path,"/v1/completions"))){
    int N=jint(body,"\"max_tokens\"",jint(body,"\"max_completion_tokens\"",nchunks));
    if(jtrue(body,"\"stream\"")){
      nstream++;
      const char *h="HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\nserver: uvicorn\r\n\r\n";
      put(c,h,strlen(h)); c->left=N; c->n=N; c->next=now()+delay_ms*1000000LL; addact(c); return; }
    k=snprintf(buf,sizeof buf,"{\"id\":\"%s\",\"object\":\"chat.completion\",\"created\":%ld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog. End of the fixed answer.\",\"refusal\":null,\"tool_calls\":[]},\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}],\"usage\":{\"prompt_tokens\":23,\"total_tokens\":61,\"completion_tokens\":38,\"prompt_tokens_details\":null},\"prompt_logprobs\":null,\"service_tier\":null,\"system_fingerprint\":null,\"kv_transfer_params\":null}",ID,(long)time(0),model);
    reply(c,200,"application/json",buf,k);
  } else if(!strcmp(m,"POST")&&strstr(path,"/embeddings")){
    k=sprintf(buf,"{\"object\":\"list\",\"model\":\"%s\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]}],\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}",model); reply(c,200,"application/json",buf,k);
  } else if(strstr(path,"/v1/models")||!strcmp(path,"/models")){
    k=sprintf(buf,"{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":1750000000,\"owned_by\":\"vllm\",\"root\":\"%s\",\"parent\":null,\"max_model_len\":32768,\"permission\":[]}]}",model,model); reply(c,200,"application/json",buf,k);
  } else if(!strcmp(path,"/health")||!strcmp(path,"/ping")||!strcmp(path,"/health_generate")) reply(c,200,"application/json","",0);
  else if(!strcmp(path,"/version")) reply(c,200,"application/json","{\"version\":\"0.10.0\"}",20);
  else if(strstr(path,"get_model_info")||strstr(path,"model_info")||strstr(path,"server_info")){ k=sprintf(buf,"{\"model_path\":\"%s\",\"served_model_name\":\"%s\",\"tokenizer_path\":\"\",\"is_generation\":true,\"model_id\":\"%s\"}",model,model,model); reply(c,200,"application/json",buf,k); }
  else if(!strcmp(path,"/tokenize")) reply(c,200,"application/json","{\"count\":5,\"max_model_len\":32768,\"tokens\":[1,2,3,4,5]}",54);
  else if(!strcmp(path,"/metrics")){
    k=sprintf(buf,"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"%s\"} %d.0\n# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{model_name=\"%s\"} 0.0\n# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc{model_name=\"%s\"} 0.1\n# TYPE vllm:gpu_cache_usage_perc gauge\nvllm:gpu_cache_usage_perc{model_name=\"%s\"} 0.1\n# TYPE vllm:avg_generation_throughput_toks_per_s gauge\nvllm:avg_generation_throughput_toks_per_s{model_name=\"%s\"} 1000.0\n# TYPE vllm:prefix_cache_queries counter\nvllm:prefix_cache_queries_total{model_name=\"%s\"} %ld.0\n# TYPE vllm:prefix_cache_hits counter\nvllm:prefix_cache_hits_total{model_name=\"%s\"} 0.0\n# TYPE vllm:generation_tokens counter\nvllm:generation_tokens_total{model_name=\"%s\"} %ld.0\n# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total{model_name=\"%s\"} %ld.0\n# TYPE vllm:request_success counter\nvllm:request_success_total{model_name=\"%s\",finished_reason=\"stop\"} %ld.0\n",
      model,nact,model,model,model,model,model,nreq,model,model,nchunk_out,model,nreq*23,model,nreq); reply(c,200,"text/plain; version=0.0.4; charset=utf-8",buf,k);
  } else if(!strncmp(path,"/_set",5)){ char *p; if((p=strstr(path,"delay="))) delay_ms=atoi(p+6); if((p=strstr(path,"n="))) nchunks=atoi(p+2); reply(c,200,"text/plain","ok\n",3);
  } else if(!strcmp(path,"/_stat")){ k=sprintf(buf,"{\"requests\":%ld,\"streams\":%ld,\"chunks\":%ld,\"conns\":%ld,\"active\":%d}\n",nreq,nstream,nchunk_out,nconn,nact); reply(c,200,"application/json",buf,k);
  } else { fprintf(stderr,"404 %s %s\n",m,path); reply(c,404,"application/json","{\"detail\":\"Not Found\"}",22); }
}
static char *hdr(char *h,char *end,const char *name){ size_t l=strlen(name); char *p=h; while(p<end){ char *e=memmem(p,end-p,"\r\n",2); if(!e) e=end; if((size_t)(e-p)>l&&!strncasecmp(p,name,l)&&p[l]==':'){ p+=l+1; while(*p==' ')p++; return p;} p=e+2; } return 0; }
// returns -1 on error
static int process(conn *c){
  while(!c->streaming&&c->inl){
    char *e=memmem(c->in,c->inl,"\r\n\r\n",4); if(!e) return 0;
    size_t hl=e-c->in+4; char *h=memmem(c->in,hl,"\r\n",2); if(!h) return -1; h+=2;
    char *cl=hdr(h,e+2,"content-length"),*te=hdr(h,e+2,"transfer-encoding"),*cn=hdr(h,e+2,"connection"),*ex=hdr(h,e+2,"expect");
    size_t total,bl; char *body=c->in+hl; char *dec=0;
    if(te&&!strncasecmp(te,"chunked",7)){
      char *p=body,*lim=c->in+c->inl; dec=malloc(c->inl+1); size_t d=0; int ok=0;
      while(p<lim){ char *q=memmem(p,lim-p,"\r\n",2); if(!q) break; size_t n=strtoul(p,0,16); q+=2; if((size_t)(lim-q)<n+2) break; if(!n){ ok=1; p=q+2; break;} memcpy(dec+d,q,n); d+=n; p=q+n+2; }
      if(!ok){ free(dec); if(ex&&!c->close_after){ } return 0; }
      dec[d]=0; bl=d; total=p-c->in; body=dec;
    } else { bl=cl?strtoul(cl,0,10):0; total=hl+bl; if(c->inl<total){ if(ex&&c->inl==hl){ put(c,"HTTP/1.1 100 Continue\r\n\r\n",25); flushc(c);} return 0; } }
    char m[16],path[1024]; if(sscanf(c->in,"%15s %1023s",m,path)!=2){ free(dec); return -1; }
    if(cn&&!strncasecmp(cn,"close",5)) c->close_after=1;
    char *pp=path; if(!strncmp(pp,"http://",7)){ pp=strchr(pp+7,'/'); if(!pp) pp="/"; }
    char sv=0; if(!dec){ sv=body[bl]; body[bl]=0; }
    handle(c,m,pp,body,bl); if(!dec) body[bl]=sv; free(dec);
    memmove(c->in,c->in+total,c->inl-total); c->inl-=total;
    int r=flushc(c); if(r<0) return -1; if(!c->streaming&&c->close_after&&r==1) return -1;
  } return 0; }
static int emit(conn *c,int64_t t){ // one chunk per stream per turn
  char b[1024]; int k;
  if(c->left>0){ int first=c->left==c->n;
    k=snprintf(b,sizeof b,"data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"T%lld \"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",ID,model,first?"\"role\":\"assistant\",":"",(long long)now()); sse(c,b,k); c->left--; nchunk_out++;
    c->next+=delay_ms*1000000LL; if(!delay_ms) c->next=t; if(c->left) { return flushc(c)<0?-1:0; } }
  k=snprintf(b,sizeof b,"data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}]}\n\n",ID,model); sse(c,b,k);
  k=snprintf(b,sizeof b,"data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"%s\",\"choices\":[],\"usage\":{\"prompt_tokens\":23,\"total_tokens\":%d,\"completion_tokens\":%d}}\n\n",ID,model,23+c->n,c->n); sse(c,b,k);
  sse(c,"data: [DONE]\n\n",14); put(c,"0\r\n\r\n",5); delact(c);
  int r=flushc(c); if(r<0) return -1; if(c->close_after&&r==1) return -1; return process(c); }
int main(int ac,char **av){
  signal(SIGPIPE,SIG_IGN); int port=ac>1?atoi(av[1]):9001; if(ac>2) delay_ms=atoi(av[2]); if(ac>3) nchunks=atoi(av[3]); if(ac>4) model=av[4];
  int ls=socket(AF_INET,SOCK_STREAM|SOCK_NONBLOCK,0),one=1; setsockopt(ls,SOL_SOCKET,SO_REUSEADDR,&one,4);
  struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(port),.sin_addr.s_addr=htonl(INADDR_LOOPBACK)};
  if(bind(ls,(void*)&a,sizeof a)||listen(ls,4096)){perror("bind");return 1;}
  ep=epoll_create1(0); struct epoll_event e={.events=EPOLLIN,.data.ptr=0}; epoll_ctl(ep,EPOLL_CTL_ADD,ls,&e); struct epoll_event ev[256];
  for(;;){
    int to=-1; if(nact){ int64_t t=now(),mn=INT64_MAX; for(int i=0;i<nact;i++) if(act[i]->next<mn&&!act[i]->wantw) mn=act[i]->next; if(mn!=INT64_MAX){ int64_t d=mn-t; to=d<=0?0:(int)((d+999999)/1000000);} }
    struct timespec ts,*tp=0; if(to>=0){ int64_t t=now(),mn=INT64_MAX; for(int i=0;i<nact;i++) if(act[i]->next<mn&&!act[i]->wantw) mn=act[i]->next; int64_t d=mn-t; if(d<0)d=0; ts.tv_sec=d/1000000000; ts.tv_nsec=d%1000000000; tp=&ts; }
    int n=epoll_pwait2(ep,ev,256,tp,0);
    for(int i=0;i<n;i++){ conn *c=ev[i].data.ptr;
      if(!c){ for(;;){ int fd=accept4(ls,0,0,SOCK_NONBLOCK); if(fd<0) break; setsockopt(fd,IPPROTO_TCP,TCP_NODELAY,&one,4); c=calloc(1,sizeof*c); c->fd=fd; nconn++; struct epoll_event x={.events=EPOLLIN,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_ADD,fd,&x);} continue; }
      if(ev[i].events&EPOLLOUT){ int r=flushc(c); if(r<0){closec(c);continue;} if(r==1&&!c->streaming&&c->close_after){closec(c);continue;} }
      if(ev[i].events&(EPOLLIN|EPOLLHUP|EPOLLERR)){
        if(c->inl+16384>c->incap){c->incap=c->incap*2+32768;c->in=realloc(c->in,c->incap+1);}
        ssize_t r=recv(c->fd,c->in+c->inl,c->incap-c->inl,0);
        if(r==0||(r<0&&errno!=EAGAIN)){closec(c);continue;}
        if(r>0){ c->inl+=r; if(process(c)<0){closec(c);continue;} } } }
    if(nact){ int64_t t=now(); for(int i=nact-1;i>=0;i--){ if(i>=nact) continue; conn *c=act[i]; if(c->wantw||c->next>t) continue; if(emit(c,t)<0) closec(c); } }
  } }
