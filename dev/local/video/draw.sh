#!/bin/sh
# Draw the film of `make run` in two qualities: 24 seconds that can be looped, in segments of 2 seconds.
# It is committed, so that running the service does not need ffmpeg. It has no sound: its screens are muted.
set -eu
cd "$(dirname "$0")"

# Hills pass by at three distances, each faster than the one behind it, and the sun circles behind them.
hill() { echo "gt(Y/H,$1+$2*sin(2*PI*(X/W+$3*T/24))+$4*sin(2*PI*$5*(X/W+$3*T/24)))"; }
far=$(hill .62 .05 1 .02 3)
mid=$(hill .74 .05 2 .03 2)
near=$(hill .88 .04 4 .03 2)
sun="hypot(X/W-.5-.22*sin(2*PI*T/24),(Y/H-.42-.1*cos(2*PI*T/24))*.5625)"
# One channel of each part's colour: the three hills, the sun, the sky, how it changes downwards, the glow.
paint() { echo "if($near,$1,if($mid,$2,if($far,$3,clip(if(lt($sun,.055),$4,$5+$6*Y/H+$7*exp(-6*$sun)),0,255))))"; }
red=$(paint 14 52 106 255 32 150 150)
green=$(paint 18 40 62 226 26 60 90)
blue=$(paint 38 76 104 150 84 30 -20)

# Arguments: a folder, the size of the picture, and a final filter.
draw() {
  mkdir -p "$1"
  rm -f -- "$1"/*.m3u8 "$1"/*.mp4
  (
    cd "$1"
    ffmpeg -v error -f lavfi -i "color=size=$2:rate=12:duration=24,format=gbrp,geq=r='$red':g='$green':b='$blue',$3" \
      -c:v libx264 -profile:v main -preset veryslow -crf 30 -bf 0 -g 24 -sc_threshold 0 -pix_fmt yuv420p \
      -hls_time 2 -hls_playlist_type vod -hls_segment_type fmp4 -hls_segment_filename '%02d.mp4' index.m3u8
  )
}
draw demo 384x216 null
# The higher quality is larger, and has a visible label.
draw uhd/demo 768x432 "drawtext=text=UHD:font=Sans:fontsize=h/7:fontcolor=white:box=1:boxcolor=black@.6:boxborderw=12:x=w-tw-24:y=24"
