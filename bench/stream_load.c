// stream_load.c - closed-loop HTTP/1.1 load generator for OpenAI-compatible endpoints (plain and SSE), single thread epoll.
// build: gcc -O2 -o sload stream_load.c
// run: ./sload -p PORT -c CONNS -t SECONDS [-n MAXREQ] -b BODYFILE [-u PATH] [-H 'Name: v']... [-P pid]... [-w warmup_s]
//  -P pid (repeatable, label=pid): reads utime+stime of the process tree before/after the measured window, peak RSS too
// prints one JSON line. Chunk latency = receive time - CLOCK_MONOTONIC stamp "T<ns>" that mock_upstream.c puts in the content.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
typedef struct { int fd; char *in; size_t inl,cap; int64_t t0,tf,tlast; int inbody,chunked,code; long clen; int done; long nch; int busy; } conn;
typedef struct { double *v; long n,cap; } vec;
static void vp(vec*a,double x){ if(a->n==a->cap){a->cap=a->cap*2+4096;a->v=realloc(a->v,a->cap*sizeof(double));} a->v[a->n++]=x; }
static int cmp(const void*a,const void*b){ double x=*(double*)a,y=*(double*)b; return x<y?-1:x>y; }
static double pc(vec*a,double p){ if(!a->n) return -1; long i=p*(a->n-1)+0.5; return a->v[i]; }
static int64_t now(void){ struct timespec t; clock_gettime(CLOCK_MONOTONIC,&t); return t.tv_sec*1000000000LL+t.tv_nsec; }
static char req[1<<20]; static int reql; static int port=9001,ep; static long nreq,maxreq=-1,errs,chunks,recon,non2xx; static int64_t tstart,tend; static int stopping; static long bytes;
static vec L,T,C,G; static int measuring=1; static char errbody[600];
static struct { char label[32]; int pid; double c0,c1; long rss,hwm; } P[16]; static int np;
static void tree(int pid,int *set,int *n){ set[(*n)++]=pid; char f[64]; 
  sprintf(f,"/proc/%d/task",pid); DIR*d=opendir(f); if(!d) return; struct dirent*e; while((e=readdir(d))){ if(e->d_name[0]=='.')continue; char g[400]; snprintf(g,sizeof g,"/proc/%d/task/%s/children",pid,e->d_name); FILE*fp=fopen(g,"r"); if(!fp)continue; int c; while(fscanf(fp,"%d",&c)==1&&*n<4000) tree(c,set,n); fclose(fp);} closedir(d); }
static double c0busy(void){ FILE*f=fopen("/proc/stat","r"); char b[512]; double r=-1; while(f&&fgets(b,sizeof b,f)){ long u,n,s,i,w,q,sq,st; if(sscanf(b,"cpu0 %ld %ld %ld %ld %ld %ld %ld %ld",&u,&n,&s,&i,&w,&q,&sq,&st)==8){ r=(u+n+s+q+sq+st)/(double)sysconf(_SC_CLK_TCK); break;} } if(f)fclose(f); return r; }
static double B0,B1;
static double cpu(int pid,long*rss,long*hwm){ int set[4096],n=0; tree(pid,set,&n); double s=0; *rss=*hwm=0; for(int i=0;i<n;i++){ char f[64],b[2048]; sprintf(f,"/proc/%d/stat",set[i]); FILE*fp=fopen(f,"r"); if(!fp)continue; size_t k=fread(b,1,2047,fp); b[k]=0; fclose(fp); char*p=strrchr(b,')'); if(!p)continue; long u,st,cu,cs; if(sscanf(p+2,"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",&u,&st,&cu,&cs)==4) s+=(u+st+cu+cs)/(double)sysconf(_SC_CLK_TCK);
   sprintf(f,"/proc/%d/status",set[i]); fp=fopen(f,"r"); if(!fp)continue; while(fgets(b,sizeof b,fp)){ long x; if(sscanf(b,"VmRSS: %ld",&x)==1)*rss+=x; if(sscanf(b,"VmHWM: %ld",&x)==1)*hwm+=x; } fclose(fp);} return s; }
static void sendreq(conn*c){ c->t0=now(); c->tf=0; c->tlast=0; c->inbody=0; c->done=0; c->nch=0; c->inl=0; c->code=0; c->busy=1; int o=0; while(o<reql){ ssize_t r=send(c->fd,req+o,reql-o,MSG_NOSIGNAL); if(r<0){ if(errno==EAGAIN){usleep(100);continue;} break;} o+=r; } }
static int dial(conn*c){ struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(port),.sin_addr.s_addr=htonl(INADDR_LOOPBACK)}; c->fd=socket(AF_INET,SOCK_STREAM,0); int one=1; setsockopt(c->fd,IPPROTO_TCP,TCP_NODELAY,&one,4); if(connect(c->fd,(void*)&a,sizeof a)){ perror("connect"); close(c->fd); c->fd=-1; return -1;} fcntl(c->fd,F_SETFL,O_NONBLOCK); struct epoll_event e={.events=EPOLLIN,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_ADD,c->fd,&e); return 0; }
static long started; static int live;
static void next(conn*c){ if(stopping||(maxreq>=0&&started>=maxreq)){ c->busy=0; live--; return; } started++; sendreq(c); }
static void fin(conn*c,int64_t t){ if(measuring){ nreq++; if(c->code<200||c->code>299){ non2xx++; if(!errbody[0]) snprintf(errbody,sizeof errbody,"%.500s",c->in);} else { vp(&L,(t-c->t0)/1e6); if(c->nch){ vp(&T,(c->tf-c->t0)/1e6);} } } }
// scan [p,e) for stamps
static void scan(conn*c,char*p,char*e,int64_t t){ char*q=p; while((q=memmem(q,e-q,"\"T",2))){ char*d=q+2; char*z; if(d>=e||*d<'0'||*d>'9'){q+=2;continue;} int64_t s=strtoll(d,&z,10); q=z; if(s>1000000){ c->nch++; if(measuring){chunks++; vp(&C,(t-s)/1e6); if(c->tlast) vp(&G,(t-c->tlast)/1e6);} if(!c->tf)c->tf=t; c->tlast=t; } } }
int main(int ac,char**av){ int nc=32,o; double secs=10,warm=1; char*bf=0,*path="/v1/chat/completions"; char hd[8192]=""; 
 while((o=getopt(ac,av,"p:c:t:n:b:u:H:P:w:"))>0) switch(o){ case'p':port=atoi(optarg);break;case'c':nc=atoi(optarg);break;case't':secs=atof(optarg);break;case'n':maxreq=atol(optarg);break;case'b':bf=optarg;break;case'u':path=optarg;break;case'w':warm=atof(optarg);break;case'H':strcat(hd,optarg);strcat(hd,"\r\n");break;case'P':{char*e=strchr(optarg,'=');snprintf(P[np].label,32,"%.*s",(int)(e-optarg),optarg);P[np++].pid=atoi(e+1);break;} }
 static char body[1<<19]; int bl=0; if(bf){FILE*f=fopen(bf,"r"); bl=fread(body,1,sizeof body-1,f); fclose(f); while(bl&&body[bl-1]=='\n')bl--; }
 reql=sprintf(req,"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nAccept: */*\r\n%sContent-Length: %d\r\n\r\n%.*s",bf?"POST":"GET",path,port,hd,bl,bl,body);
 ep=epoll_create1(0); conn*cs=calloc(nc,sizeof(conn)); measuring=warm<=0; int64_t ts=now(),tm=ts; tend=ts+(int64_t)((secs+warm)*1e9); struct rusage r0; getrusage(RUSAGE_SELF,&r0); B0=c0busy(); if(measuring) for(int i=0;i<np;i++) P[i].c0=cpu(P[i].pid,&P[i].rss,&P[i].hwm);
 for(int i=0;i<nc;i++){ cs[i].cap=65536; cs[i].in=malloc(65537); if(dial(&cs[i])) return 1; live++; next(&cs[i]); }
 struct epoll_event ev[256]; int64_t hard=tend+30000000000LL;
 while(live>0){ int n=epoll_wait(ep,ev,256,100); int64_t t=now();
  if(!measuring&&t-ts>=(int64_t)(warm*1e9)){ measuring=1; tm=t; B0=c0busy(); getrusage(RUSAGE_SELF,&r0); for(int i=0;i<np;i++) P[i].c0=cpu(P[i].pid,&P[i].rss,&P[i].hwm); }
  if(!stopping&&t>=tend){ stopping=1; tend=t; B1=c0busy(); for(int i=0;i<np;i++) P[i].c1=cpu(P[i].pid,&P[i].rss,&P[i].hwm); measuring=0; goto report; }
  if(t>hard) break;
  for(int i=0;i<n;i++){ conn*c=ev[i].data.ptr; if(c->inl+32768>c->cap){c->cap=c->cap*2; c->in=realloc(c->in,c->cap+1);} 
   ssize_t r=recv(c->fd,c->in+c->inl,c->cap-c->inl,0); t=now();
   if(r==0||(r<0&&errno!=EAGAIN)){ if(c->busy&&c->inbody&&!c->chunked&&c->clen<0){ fin(c,t);} else if(c->busy&&measuring) errs++; close(c->fd); recon++; if(dial(c)){live--;c->busy=0;continue;} next(c); continue; }
   if(r<0) continue; if(measuring)bytes+=r; size_t old=c->inl; c->inl+=r; c->in[c->inl]=0; int fresh=0; char*b0=c->in+old;
   if(!c->inbody){ char*e=memmem(c->in,c->inl,"\r\n\r\n",4); if(!e) continue; c->code=atoi(c->in+9); if(c->code==100){ memmove(c->in,e+4,c->inl-(e+4-c->in)); c->inl-=e+4-c->in; e=memmem(c->in,c->inl,"\r\n\r\n",4); if(!e) continue; c->code=atoi(c->in+9);} *e=0; char*cl=strcasestr(c->in,"\r\ncontent-length:"),*te=strcasestr(c->in,"\r\ntransfer-encoding: chunked"); c->chunked=te!=0; c->clen=cl?atol(cl+17):-1; *e='\r'; c->inbody=1; size_t hl=e+4-c->in; memmove(c->in,c->in+hl,c->inl-hl); c->inl-=hl; c->in[c->inl]=0; b0=c->in; fresh=1; }
   // only complete stamps are seen: keep data, scan from last incomplete tail
   if(c->chunked){ // SSE or chunked json: scan new part (with 40 B overlap guarded by consuming)
     char*e=c->in+c->inl; char*lim=memrchr(c->in,'\n',c->inl); int end= c->inl>=5&&!memcmp(e-5,"0\r\n\r\n",5)&&(c->inl==5||e[-6]=='\n');
     if(lim){ lim++; scan(c,c->in,lim,t); if(end){ fin(c,t); next(c); continue;} 
       if(c->code>=200&&c->code<300){ size_t keep=e-lim; /* keep the last 8 bytes for the terminator test */ size_t k2=keep<8?(c->inl<8?c->inl:8):keep; /* stamps are >8 bytes from line end, no double count */ memmove(c->in,e-k2,k2); c->inl=k2; } }
   } else if(c->clen>=0){ if((long)c->inl>=c->clen){ scan(c,c->in,c->in+c->inl,t); fin(c,t); next(c); } }
   else { scan(c,b0,c->in+c->inl,t); }
  } (void)tstart; }
 if(!stopping){ tend=now(); B1=c0busy(); for(int i=0;i<np;i++) P[i].c1=cpu(P[i].pid,&P[i].rss,&P[i].hwm); }
report:; struct rusage r1; getrusage(RUSAGE_SELF,&r1); double dur=(tend-tm)/1e9; 
 double self=(r1.ru_utime.tv_sec-r0.ru_utime.tv_sec)+(r1.ru_stime.tv_sec-r0.ru_stime.tv_sec)+(r1.ru_utime.tv_usec-r0.ru_utime.tv_usec+r1.ru_stime.tv_usec-r0.ru_stime.tv_usec)/1e6;
 qsort(L.v,L.n,8,cmp);qsort(T.v,T.n,8,cmp);qsort(C.v,C.n,8,cmp);qsort(G.v,G.n,8,cmp);
 long ok=nreq-non2xx; printf("{\"dur\":%.3f,\"ok\":%ld,\"non2xx\":%ld,\"errs\":%ld,\"reconn\":%ld,\"rps\":%.2f,\"lat_min\":%.3f,\"lat_p10\":%.3f,\"lat_p50\":%.3f,\"lat_p90\":%.3f,\"lat_p99\":%.3f,\"lat_max\":%.3f",dur,ok,non2xx,errs,recon,ok/dur,pc(&L,0),pc(&L,.1),pc(&L,.5),pc(&L,.9),pc(&L,.99),pc(&L,1));
 if(chunks) printf(",\"ttft_min\":%.3f,\"ttft_p10\":%.3f,\"ttft_p50\":%.3f,\"ttft_p99\":%.3f,\"chunks\":%ld,\"chunks_s\":%.1f,\"chlat_p10\":%.3f,\"chlat_p50\":%.3f,\"chlat_p99\":%.3f,\"gap_p50\":%.3f,\"gap_p99\":%.3f",pc(&T,0),pc(&T,.1),pc(&T,.5),pc(&T,.99),chunks,chunks/dur,pc(&C,.1),pc(&C,.5),pc(&C,.99),pc(&G,.5),pc(&G,.99));
 printf(",\"bytes\":%ld,\"core0_busy\":%.2f,\"self_cpu\":%.3f",bytes,B1-B0,self); for(int i=0;i<np;i++) printf(",\"%s_cpu\":%.2f,\"%s_rss_mb\":%.1f,\"%s_hwm_mb\":%.1f",P[i].label,P[i].c1-P[i].c0,P[i].label,P[i].rss/1024.,P[i].label,P[i].hwm/1024.);
 printf("}\n"); if(errbody[0]) fprintf(stderr,"first non-2xx body: %s\n",errbody); return 0; }
